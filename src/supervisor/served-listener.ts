import type { UdpListener } from '../l4/udp-listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Log } from '../model/ports.ts';
import type { ConnectionHandler } from '../net/connection.ts';
import type { Acceptor } from '../net/listen.ts';

/** A listener of any protocol, as the supervisor drives it. */
interface Driven {
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: { readonly log: Log };
  /** Requests, tunnels and sessions under way. */
  readonly busy: number;
  /** Whether connections without anything under way are still on their way to their end. Left out: there are none such. */
  readonly parting?: boolean;
  /** Takes no more requests; what is under way goes on. */
  drain(): void;
  /**
   * It is not in the configuration any more: whoever is there may finish.
   * @param idleMs How long connections may be idle until they are closed; left out: a moment.
   */
  leave(idleMs?: number): void;
  /** Asks both ends of the tunnels and sessions with `endpoint` to close. */
  closeSessions(endpoint: Endpoint): void;
  /** Resets the tunnels and sessions with `endpoint`, which is down. */
  cutSessions(endpoint: Endpoint): void;
  /** Ends what is still under way. Returns how much that was. */
  cut(): number;
}

/** One that takes connections. */
export interface ConnectionListener extends Driven, Acceptor {
  readonly transport: 'tcp';
  /** Whether that handler was given out here, and is not released yet. */
  serves(handler: ConnectionHandler): boolean;
}

/** One of whatever protocol. */
export type ServedListener = ConnectionListener | (Driven & UdpListener);
