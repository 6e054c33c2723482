import { ChallengeStorage } from '../acme/challenge-storage.ts';
import { balancer } from '../balancer/flow.ts';
import type { Config } from '../config/schema/config.ts';
import { type Judge, OutlierDetector } from '../health/outlier-detector.ts';
import type { L7Listener } from '../l7/l7-listener.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Log } from '../model/ports.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import type { Offers } from './handed-socket.ts';
import type { TicketKeySource } from './ticket-keyring.ts';
import { ServedListeners } from './served-listeners.ts';
import { ServedPools } from './served-pools.ts';

/** What a data plane is told and tells. */
export interface DataPlaneOptions {
  readonly log: Log;
  readonly accessLog: AccessLog | undefined;
  /** Decides about endpoints that real traffic speaks against. */
  readonly judge: Judge;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
  /** The keys of session tickets, which outlive every configuration. */
  readonly ticketKeys: TicketKeySource;
  /** Number of this worker, from 0. */
  readonly slot: number;
  /** Memory that everything counts in. */
  readonly cells: CellSource;
}

/** A configuration that is ready to be put into force. Exactly one of its methods is to be called, once. */
export interface PreparedConfig {
  /** The port of each listener. */
  readonly ports: Readonly<Record<string, number>>;
  /** Swaps everything in one turn; cannot fail. */
  commit(): void;
  /** Nothing comes of it. */
  abandon(): void;
}

/**
 * Everything that carries traffic in one worker: listeners, and pools with their connections. A configuration is put into force whole or
 * not at all, and whatever it says nothing new about stays the same object, with all that it carries. How healthy endpoints are
 * and what the operator wants of them is decided elsewhere, and told.
 */
export class DataPlane {
  readonly pools: ServedPools;
  readonly listeners: ServedListeners;
  readonly #shared: L7Listener['shared'];

  /** Nothing listens before the first configuration is in force. */
  constructor({ log, accessLog, judge, instance, ticketKeys, slot, cells }: DataPlaneOptions) {
    const wheel = new TimerWheel();
    const outliers = new OutlierDetector(systemClock, judge);
    this.#shared = {
      balancer,
      observer: outliers,
      accessLog,
      log,
      wheel,
      clock: systemClock,
      random: systemRandom,
    };
    this.listeners = new ServedListeners({ shared: this.#shared, instance, ticketKeys, cells });
    this.pools = new ServedPools({
      slot,
      cells,
      wheel,
      outliers,
      cutSessions: (endpoint) => this.listeners.cutSessions(endpoint),
    });
  }

  /**
   * Makes everything that a configuration needs, and touches nothing that is in force. One at a time: the one before must have been
   * committed or abandoned.
   * @throws Error saying what failed, such as an address in use; nothing is left of it then.
   */
  async prepare(config: Config, offers: Offers): Promise<PreparedConfig> {
    const { acme } = config;
    this.#shared.challenges = acme === undefined ? undefined : new ChallengeStorage(acme.storage);
    const pools = this.pools.plan(config);
    let listeners;
    try {
      listeners = await this.listeners.plan(config.listeners, pools.all, offers);
    } catch (error) {
      runTurn(() => pools.abandon());
      throw error;
    }
    const swap = (): void => {
      const gone = pools.commit();
      listeners.commit();
      // Nobody leads to them any more.
      for (const served of gone) this.pools.close(served);
    };
    const abandon = (): void => {
      listeners.abandon();
      pools.abandon();
    };
    return { ports: listeners.ports, commit: () => runTurn(swap), abandon: () => runTurn(abandon) };
  }
}
