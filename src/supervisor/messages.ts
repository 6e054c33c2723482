import type { Config } from '../config/schema/config.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import type { Suspicion } from '../health/outlier-detector.ts';
import type { CallPath } from '../net/worker-calls.ts';
import type { EndpointState } from './endpoint-states.ts';
import type { WorkerFigures } from './figures.ts';
import type { SnapshotSlots } from './shared-cells.ts';

/** A configuration with the sockets of its listeners. Plain data. */
export interface Snapshot {
  readonly revision: number;
  readonly config: Config;
  /** Number of the socket by name of the listener. Its descriptor comes by the descriptor channel, once. */
  readonly sockets: Readonly<Record<string, { readonly id: number; readonly port: number }>>;
  /** Places of its objects in the shared memory. */
  readonly slots: SnapshotSlots;
  /** Keys of session tickets by listener; the first seals. */
  readonly ticketKeys: TicketKeysOfListeners;
  /** Workers that count in the shared memory, those that are ending included. */
  readonly workers: number;
  /** Where workers call each other, by slot; empty for a worker that is alone. */
  readonly calls: readonly CallPath[];
}

type TicketKeysOfListeners = Readonly<Record<string, readonly Uint8Array[]>>;

/** States of the endpoints of one pool. */
export interface PoolStates {
  readonly pool: string;
  readonly states: readonly EndpointState[];
}

/** The socket of another worker. */
export interface CoveredSocket {
  /** Number of the listener's sockets, as in a snapshot. */
  readonly id: number;
  /** Number by which its descriptor comes. */
  readonly handle: number;
}

/** What the supervisor tells a worker. Messages arrive in the order in which they were sent. */
export type ToWorker =
  | {
      /** The first one: who the worker is, and what it is to do. Answered by `ready`, or by `failed`. */
      readonly type: 'start';
      /** From 0. */
      readonly slot: number;
      readonly snapshot: Snapshot;
      /** Where the shared memory is opened. */
      readonly memory: string;
      readonly states: readonly PoolStates[];
      /** Whether descriptors come by the channel. */
      readonly handsSockets: boolean;
      readonly instance: string;
    }
  /** Make everything for a snapshot, and change nothing. Answered by `prepared`. */
  | { readonly type: 'prepare'; readonly snapshot: Snapshot }
  /** Put into force what was prepared last. */
  | { readonly type: 'commit' }
  | { readonly type: 'abandon' }
  /** Another configuration of one pool, by an operator at run time. */
  | { readonly type: 'pool'; readonly config: PoolConfig; readonly slots: SnapshotSlots }
  | ({ readonly type: 'states' } & PoolStates)
  | { readonly type: 'close-sessions'; readonly pool: string; readonly endpoint: string }
  /** A listener seals session tickets with other keys from now on. */
  | { readonly type: 'ticket-keys'; readonly listener: string; readonly keys: readonly Uint8Array[] }
  /** Accept for another worker too, which is away. */
  | { readonly type: 'cover'; readonly slot: number; readonly sockets: readonly CoveredSocket[] }
  /** Leave its connections to that worker again. */
  | { readonly type: 'uncover'; readonly slot: number }
  /** Answered by `figures`. */
  | { readonly type: 'report' }
  /** Write the access log to a new file. */
  | { readonly type: 'reopen' }
  /** Accept no more, and end when everything under way has finished, after so many milliseconds at the latest. */
  | {
      readonly type: 'stop';
      readonly deadlineMs: number;
      /** Another process takes from the same sockets. */
      readonly handedOver: boolean;
    };

/** What a worker tells. */
export type FromWorker =
  | { readonly type: 'ready'; readonly ports: Ports }
  /** It cannot start. */
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'prepared'; readonly revision: number; readonly ports: Ports }
  | { readonly type: 'refused'; readonly revision: number; readonly message: string }
  | ({ readonly type: 'suspect'; readonly pool: string; readonly endpoint: string } & Suspicion)
  | { readonly type: 'figures'; readonly figures: WorkerFigures }
  /** Everything under way is over; `cut`: what was ended because it took too long. */
  | { readonly type: 'stopped'; readonly cut: number };

/** The port of each listener. */
export type Ports = Readonly<Record<string, number>>;
