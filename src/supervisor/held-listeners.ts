import { formatAddress } from '../config/address.ts';
import { type ListenerConfig, transportOf } from '../config/schema/listener.ts';
import { type Growth, HeldSockets } from '../net/held-sockets.ts';
import { lostDatagrams } from '../net/lost-datagrams.ts';
import { cannotListen } from './cannot-listen.ts';
import type { Inheritance } from './inheritance.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import type { Snapshot } from './messages.ts';

/** The sockets of one listener. */
interface Held {
  /** What a socket is known by in every process; never given twice. */
  readonly id: number;
  readonly config: ListenerConfig;
  /** Undefined where workers open sockets themselves. */
  readonly sockets: HeldSockets | undefined;
}

/** Sockets as they will be, opened already. Exactly one of its methods is to be called, once. */
export interface SocketPlan {
  readonly held: ReadonlyMap<string, Held>;
  /** Sockets that no listener has any more are closed. Workers must be told after this: what they close last is closed. */
  commit(): void;
  abandon(): void;
}

/** The numbers and ports of sockets, by listener, as workers are told. */
export function socketNumbers(held: SocketPlan['held']): Snapshot['sockets'] {
  return Object.fromEntries(
    [...held].map(([listener, { id, sockets }]) => [listener, { id, port: sockets?.port ?? 0 }]),
  );
}

/** Whether the socket of the one does for the other. */
function sameSocket(a: ListenerConfig, b: ListenerConfig): boolean {
  const sameAddress = a.address.host === b.address.host && a.address.port === b.address.port;
  return sameAddress && transportOf(a) === transportOf(b);
}

/**
 * The listening sockets of all listeners, one for each worker and listener. They belong to the supervisor, so that neither the death
 * of a worker nor a reload refuses anybody.
 */
export class HeldListeners {
  readonly #holds: boolean;
  readonly #inherited: InheritedSockets;
  #held: ReadonlyMap<string, Held> = new Map();
  #lastId = 0;

  /**
   * @param holds False where workers open sockets themselves.
   * @param inherited Taken before others are opened.
   */
  constructor(holds: boolean, inherited: InheritedSockets) {
    this.#inherited = inherited;
    this.#holds = holds;
  }

  /** Those in force, by listener. */
  get held(): ReadonlyMap<string, Held> {
    return this.#held;
  }

  /**
   * Opens what is not open yet. A listener keeps its socket as long as its address stays; an address that goes to a listener of another
   * name takes its socket along. Every listener has a socket for each worker then; one that had more keeps them.
   * @throws Error naming the listener when an address cannot be bound; nothing was opened then.
   */
  async plan(listeners: readonly ListenerConfig[], workers: number): Promise<SocketPlan> {
    const before = this.#held;
    const held = new Map<string, Held>();
    const opened: Held[] = [];
    const growths: Growth[] = [];
    const abandon = (): void => {
      for (const { sockets } of opened) sockets?.close();
      for (const growth of growths) growth.abandon();
    };
    try {
      for (const config of listeners) {
        const kept = this.#keep(config);
        const mine = kept === undefined ? await this.#open(config, workers) : { ...kept, config };
        if (kept === undefined) opened.push(mine);
        else if (mine.sockets !== undefined) growths.push(mine.sockets.grow(workers));
        held.set(config.name, mine);
      }
    } catch (error) {
      abandon();
      throw error;
    }
    return {
      held,
      commit: () => {
        this.#held = held;
        for (const growth of growths) growth.commit();
        const stay = new Set([...held.values()].map(({ id }) => id));
        for (const { id, sockets } of before.values()) if (!stay.has(id)) sockets?.close();
      },
      abandon,
    };
  }

  #keep(config: ListenerConfig): Held | undefined {
    const known = this.#held.get(config.name);
    if (known !== undefined && sameSocket(known.config, config)) return known;
    // Port 0 is another port each time.
    if (config.address.port === 0) return undefined;
    return [...this.#held.values()].find((other) => sameSocket(other.config, config));
  }

  async #open(config: ListenerConfig, workers: number): Promise<Held> {
    const { name, address } = config;
    const id = ++this.#lastId;
    if (!this.#holds) return { id, config, sockets: undefined };
    try {
      const sockets =
        (await this.#inherited.take(config, workers)) ??
        (await HeldSockets.open(transportOf(config), address.host, address.port, workers));
      return { id, config, sockets };
    } catch (cause) {
      const error = cannotListen(name, address, cause);
      const { port } = address;
      const holder = [...this.#held.values()].find(
        (other) =>
          other.config.address.port === port &&
          port !== 0 &&
          transportOf(other.config) === transportOf(config),
      );
      if (holder === undefined) throw error;
      const still = `listener ${holder.config.name} still has ${formatAddress(holder.config.address)}`;
      throw new Error(`${error.message}; ${still}: go by way of another port`, { cause });
    }
  }

  /** The real port of a listener; undefined when its sockets are not held here. */
  portOf(listener: string): number | undefined {
    return this.#held.get(listener)?.sockets?.port;
  }

  /** Datagrams that found the sockets of a udp listener full. */
  lostDatagrams(): ReadonlyMap<string, number> {
    const udp = [...this.#held].filter(([, { config }]) => transportOf(config) === 'udp');
    return lostDatagrams(new Map(udp.map(([name, { sockets }]) => [name, sockets?.descriptors ?? []])));
  }

  /** All descriptors, and in the same order who they belong to, for another process. */
  handOver(): { readonly sockets: Inheritance['sockets']; readonly descriptors: readonly number[] } {
    const owned = [...this.#held].flatMap(([listener, { sockets }]) =>
      (sockets?.descriptors ?? []).map((descriptor) => ({ listener, descriptor })),
    );
    return {
      sockets: owned.map(({ listener }) => ({ listener })),
      descriptors: owned.map(({ descriptor }) => descriptor),
    };
  }

  /** Lets go of all. */
  close(): void {
    for (const { sockets } of this.#held.values()) sockets?.close();
    this.#held = new Map();
  }
}
