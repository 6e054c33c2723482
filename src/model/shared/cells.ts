import { OutcomeWindow } from './outcome-window.ts';
import { Places } from './places.ts';
import { privateWords, SharedCount, type WordsOfWorkers } from './shared-count.ts';
import { SharedMark } from './shared-mark.ts';
import type { TallyTable } from './tally-table.ts';
import { WaitingLine } from './waiting-line.ts';

/** What workers count and remember together of each kind of object: every name has words of its own for each worker. */
export const COUNTS = {
  pool: {
    /** Exchanges and sessions routed to the pool that have not ended. */
    activeRequests: SharedCount,
    /** Requests and sessions at the endpoints that are balanced together; of several priorities, at those of the first. */
    balanced: SharedCount,
    /** Retries under way, for the budget. */
    activeRetries: Places,
    /** Requests that wait in the queue. */
    queued: Places,
    /** Who of them waits longest. */
    line: WaitingLine,
  },
  endpoint: {
    /** Requests and sessions, from the pick to the end of the response or tunnel. Changed by `balancer/flow.ts` alone. */
    inFlight: Places,
    /** Those of them that are tunnels. */
    tunnels: SharedCount,
    /** Those of them that are TCP or UDP sessions. */
    sessions: SharedCount,
    /** Failures in a row, for outlier detection. */
    streak: SharedMark,
    /** Successes and failures of late, for outlier detection. */
    outcomes: OutcomeWindow,
  },
  listener: {
    /** Client connections open now. */
    connections: Places,
    /** Upgraded connections open now. */
    tunnels: SharedCount,
    /** Client connections that speak HTTP/2, open now. */
    http2Connections: SharedCount,
    /** Streams of theirs, open now. */
    http2Streams: SharedCount,
  },
  route: {},
} as const;

/** A count over a number of workers that may change. */
export interface Count {
  span(workers: number): void;
}

/** Something that lies in words of the workers. */
interface CountClass {
  new (words: WordsOfWorkers): Count;
  readonly WORDS: number;
  /** Work under way is counted by it: a slot in which any of it is not 0 is not given to something else. */
  readonly HOLDS: boolean;
}

export type Kind = keyof typeof COUNTS;
/** Kinds of which each has cells of its own. Routes are too many for that: see `RouteCells`. */
export type ObjectKind = Exclude<Kind, 'route'>;
export const OBJECT_KINDS: readonly ObjectKind[] = ['pool', 'endpoint', 'listener'];
export type CountsOf<K extends Kind> = {
  readonly [Name in keyof (typeof COUNTS)[K]]: (typeof COUNTS)[K][Name] extends new (
    words: WordsOfWorkers,
  ) => infer Count
    ? Count
    : never;
};

/**
 * The memory behind one object of the model. Counts are what is under way now, summed over all workers and cleared when one dies;
 * totals only ever grow, and each process has its own record of them: a worker the one that it writes, the supervisor the sum.
 */
export interface Cells<K extends Kind> {
  readonly counts: CountsOf<K>;
  readonly totals: Float64Array;
}

/** Where the routes of a listener count. There are tens of thousands: they have no objects of their own. */
export interface RouteCells {
  /** Requests of all routes that there are; of a worker, those that it counts. */
  readonly totals: Float64Array;
  /** Which of them each route of the listener has, in their order. */
  readonly slots: Int32Array;
}

/** Memory of what each client of a listener takes; what is not limited, or counted by one process alone, has none. */
export interface ClientCells {
  /** For a `TokenTable`. */
  readonly rates?: Uint8Array | undefined;
  readonly open?: TallyTable | undefined;
}

/** Where the model gets the memory of its objects. What had the same name before gets the same cells. */
export interface CellSource {
  pool(name: string): Cells<'pool'>;
  /** @param address `host:port`: the same name at another address is another endpoint. */
  endpoint(pool: string, name: string, address: string): Cells<'endpoint'>;
  listener(name: string): Cells<'listener'>;
  /** Of the routes of a listener that was prepared last; undefined: they count for themselves. */
  routes(listener: string): RouteCells | undefined;
  /**
   * Memory of a filter, of the `place`th of a route; undefined when it needs none.
   * @param route Index of the route.
   */
  filter(listener: string, route: number, place: number): Uint8Array | undefined;
  /** What all workers know of the clients of a listener. */
  clients(listener: string): ClientCells;
}

/** Names of the counts of a kind, with how much memory they need and what they are. */
export function countsOf(kind: Kind): readonly (readonly [name: string, count: CountClass])[] {
  return Object.entries(COUNTS[kind]);
}

/** The counts of one object. */
export function makeCounts<K extends Kind>(kind: K, wordsOf: (count: string) => WordsOfWorkers): CountsOf<K> {
  const counts = countsOf(kind).map(([name, Count]) => [name, new Count(wordsOf(name))]);
  return Object.fromEntries(counts) as CountsOf<K>;
}

/** Cells of this process alone. */
export function privateCells<K extends Kind>(kind: K, totals: number): Cells<K> {
  const widths = new Map(countsOf(kind).map(([name, { WORDS }]) => [name, WORDS]));
  return {
    counts: makeCounts(kind, (name) => privateWords(widths.get(name))),
    totals: new Float64Array(totals),
  };
}
