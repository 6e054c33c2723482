import type { ListenerConfig } from '../config/schema/listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import { runTurn } from '../net/turn.ts';
import type { Offers } from './handed-socket.ts';
import type { ListenerParts } from './listener-kinds.ts';
import { ListenerPlan } from './listener-plan.ts';
import type { ServedListener } from './served-listener.ts';
import { UdpDoor } from './udp-door.ts';

/** Listeners as they would be, opened already. Exactly one of its methods is to be called, once. */
interface ListenersPlan {
  /** The port of each listener. */
  readonly ports: Readonly<Record<string, number>>;
  /** Puts them into force; those that are gone from the configuration accept no more, and finish what they have. */
  commit(): void;
  /** Nothing comes of it. */
  abandon(): void;
}

/** The listeners of a worker. Whatever a configuration says nothing new about stays the same object, with all that it carries. */
export class ServedListeners {
  readonly #parts: Omit<ListenerParts, 'pools'>;
  #stopped = false;
  #inForce: readonly ListenerPlan[] = [];
  /** Those that are gone from the configuration, as long as they have connections. */
  #leaving: ServedListener[] = [];

  /** @param parts What all are made with. */
  constructor(parts: Omit<ListenerParts, 'pools'>) {
    this.#parts = parts;
  }

  /**
   * Makes and opens them; those in force are not touched.
   * @param pools That they can lead to.
   * @throws Error saying what failed, such as an address in use; nothing is left of the plan then.
   */
  async plan(
    configs: readonly ListenerConfig[],
    pools: ListenerParts['pools'],
    offers: Offers,
  ): Promise<ListenersPlan> {
    const planned: ListenerPlan[] = [];
    const abandon = (): void => {
      for (const listener of planned) listener.abandon();
    };
    try {
      for (const config of configs) planned.push(this.#plan(config, pools));
      for (const listener of planned) {
        await listener.open(this.#inForce, offers);
        if (this.#stopped) throw new Error('Pointsman is shutting down');
      }
    } catch (error) {
      runTurn(abandon);
      throw error;
    }
    const ports = Object.fromEntries(planned.map(({ name, door }) => [name, door!.port]));
    return { ports, commit: () => this.#swap(planned), abandon };
  }

  #plan(config: ListenerConfig, pools: ListenerParts['pools']): ListenerPlan {
    const known = this.#inForce.find(({ name }) => name === config.name);
    return new ListenerPlan(config, known, { ...this.#parts, pools });
  }

  #swap(listeners: readonly ListenerPlan[]): void {
    const before = this.#inForce;
    for (const listener of listeners) listener.commit();
    this.#inForce = listeners;
    const doors = new Set(listeners.map(({ door }) => door));
    const served = new Set(listeners.map((listener) => listener.served));
    this.#leaving = this.#leaving.filter(({ stats }) => stats.connections.own > 0);
    for (const listener of before) {
      if (!doors.has(listener.door)) listener.door?.stop();
      if (served.has(listener.served)) continue;
      listener.http3?.stop();
      listener.served.leave();
      this.#leaving.push(listener.served);
    }
  }

  /** Those in force, with their counters. */
  inForce(): readonly { readonly name: string; readonly stats: ListenerStats }[] {
    return this.#inForce.map(({ name, served }) => ({ name, stats: served.stats }));
  }

  /** Those in force and those that leave. */
  #all(): readonly ServedListener[] {
    return [...this.#inForce.map(({ served }) => served), ...this.#leaving];
  }

  /** Requests, tunnels and sessions under way. */
  get busy(): number {
    return this.#all().reduce((sum, { busy }) => sum + busy, 0);
  }

  /** Whether clients are still being told that their connections end, or taking the last of what was sent. */
  get parting(): boolean {
    return this.#all().some((served) => served.parting === true);
  }

  /** Connections of clients that are open; sessions of UDP are none. */
  get connections(): number {
    return this.#all().reduce(
      (sum, { transport, stats }) => (transport === 'udp' ? sum : sum + stats.connections.own),
      0,
    );
  }

  /** The door with the socket of that number; undefined when no listener in force has it. */
  doorOf(id: number): ListenerPlan['door'] {
    return this.#inForce.find(({ door }) => door?.id === id)?.door;
  }

  /** Takes no more from the sockets of the worker of that slot. */
  uncover(slot: number): void {
    for (const { door } of this.#inForce) door?.uncover(slot);
  }

  /** Asks both ends of the tunnels and sessions with an endpoint to close. */
  closeSessions(endpoint: Endpoint): void {
    runTurn(() => {
      for (const served of this.#all()) served.closeSessions(endpoint);
    });
  }

  /** Resets the tunnels and sessions with an endpoint, which is down. */
  cutSessions(endpoint: Endpoint): void {
    for (const served of this.#all()) served.cutSessions(endpoint);
  }

  // ---- how they end ----

  /** Accepts no more connections, for good. */
  stop(): void {
    this.#stopped = true;
    for (const listener of this.#inForce) listener.stopListening();
  }

  /** Hears no more datagrams of clients; sessions may still answer. */
  muteDatagrams(): void {
    for (const { door } of this.#inForce) if (door instanceof UdpDoor) door.mute();
  }

  /** Every connection ends with its next response; those that are idle for so long are closed. */
  leave(idleMs: number): void {
    runTurn(() => {
      for (const served of this.#all()) served.leave(idleMs);
    });
  }

  /** Takes no more requests; those under way go on. */
  drain(): void {
    runTurn(() => {
      for (const served of this.#all()) served.drain();
    });
  }

  /** Ends the UDP sessions, and with them the sockets that they hold. */
  cutDatagrams(): void {
    runTurn(() => {
      for (const served of this.#all()) if (served.transport === 'udp') served.cut();
    });
  }

  /** Ends what is still under way; returns how much that was. */
  cut(): number {
    let count = 0;
    runTurn(() => {
      for (const served of this.#all()) count += served.cut();
    });
    return count;
  }
}
