import { FAILURES, type FailureCode } from './failures.ts';
import { H2_TOTALS, H2Stats } from './h2-stats.ts';
import { LatencySketch, SKETCH_WORDS } from './latency-sketch.ts';
import { type Cells, privateCells, type RouteCells } from './shared/cells.ts';
import type { Places } from './shared/places.ts';
import type { SharedCount } from './shared/shared-count.ts';
import { TLS_TOTALS, TlsStats } from './tls-stats.ts';

const CODES = Object.keys(FAILURES) as readonly FailureCode[];
const CODE_INDEX: ReadonlyMap<FailureCode, number> = new Map(CODES.map((code, index) => [code, index]));

const STATUSES_AT = 7;
const FAILURES_AT = STATUSES_AT + 6;
const SKETCH_AT = FAILURES_AT + CODES.length;

const H2_AT = SKETCH_AT + SKETCH_WORDS;
const TLS_AT = H2_AT + H2_TOTALS;

/** 64-bit words of memory that the counters of a listener need. */
export const LISTENER_TOTALS: number = TLS_AT + TLS_TOTALS;

/** 64-bit words of memory that the counters of a route need. */
export const ROUTE_TOTALS = 1;

/** Cells of this process alone. */
function privateRoutes(count: number): RouteCells {
  return { totals: new Float64Array(count), slots: Int32Array.from({ length: count }, (_, index) => index) };
}

/** Requests that a route took, as metrics tell it. */
export interface RouteCount {
  readonly name: string;
  readonly requests: number;
}

/** Counters of one listener since the start, written by the data path, read by metrics and the admin API. */
export class ListenerStats {
  /** Client connections or UDP sessions open now. */
  readonly connections: Places;
  /** Upgraded connections open now. */
  readonly tunnels: SharedCount;
  readonly #totals: Float64Array;
  /** Responses by first digit of the status, index 1 to 5; index 0 counts requests that got none. */
  readonly statuses: Float64Array;
  /** Requests and connections ended by Pointsman, by reason, in the order of `FAILURES`. */
  readonly #failures: Float64Array;
  /** From the first byte of a request to the end of its response, milliseconds. */
  readonly latency: LatencySketch;
  readonly http2: H2Stats;
  /** Counts nothing where TLS is not spoken. */
  readonly tls: TlsStats;
  #routeNames: () => readonly string[] = () => [];
  #routes: RouteCells = privateRoutes(0);
  readonly #routeCells: () => RouteCells | undefined;

  /** @param routeCells As `CellSource.routes`, of this listener; undefined: routes count for themselves. */
  constructor(
    { counts, totals }: Cells<'listener'> = privateCells('listener', LISTENER_TOTALS),
    routeCells: () => RouteCells | undefined = () => undefined,
  ) {
    this.#routeCells = routeCells;
    this.connections = counts.connections;
    this.tunnels = counts.tunnels;
    this.#totals = totals;
    this.statuses = totals.subarray(STATUSES_AT, FAILURES_AT);
    this.#failures = totals.subarray(FAILURES_AT, SKETCH_AT);
    this.latency = new LatencySketch(totals.subarray(SKETCH_AT, H2_AT));
    this.http2 = new H2Stats(totals.subarray(H2_AT, TLS_AT), counts.http2Connections, counts.http2Streams);
    this.tls = new TlsStats(totals.subarray(TLS_AT, LISTENER_TOTALS));
  }

  /** Client connections open now, of all workers. */
  get connectionsOpen(): number {
    return this.connections.sum;
  }

  /** Upgraded connections open now, of all workers. */
  get tunnelsOpen(): number {
    return this.tunnels.sum;
  }

  get connectionsTotal(): number {
    return this.#totals[0]!;
  }

  set connectionsTotal(count: number) {
    this.#totals[0] = count;
  }

  /** Connections closed at once, or first datagrams dropped, because of a limit of the listener. */
  get connectionsRejected(): number {
    return this.#totals[1]!;
  }

  set connectionsRejected(count: number) {
    this.#totals[1] = count;
  }

  /** Requests whose head was read, or that failed before it was. */
  get requests(): number {
    return this.#totals[2]!;
  }

  set requests(count: number) {
    this.#totals[2] = count;
  }

  /** Bytes read from clients. */
  get bytesIn(): number {
    return this.#totals[3]!;
  }

  set bytesIn(count: number) {
    this.#totals[3] = count;
  }

  /** Bytes written to clients. */
  get bytesOut(): number {
    return this.#totals[4]!;
  }

  set bytesOut(count: number) {
    this.#totals[4] = count;
  }

  /** Datagrams from clients. */
  get datagramsIn(): number {
    return this.#totals[5]!;
  }

  set datagramsIn(count: number) {
    this.#totals[5] = count;
  }

  /** Datagrams sent to clients. */
  get datagramsOut(): number {
    return this.#totals[6]!;
  }

  set datagramsOut(count: number) {
    this.#totals[6] = count;
  }

  /**
   * Other routes are in force. One that keeps its name keeps its count, where the cells are those of the shared memory.
   * @param names Asked for when somebody wants to see them: there may be tens of thousands.
   */
  nameRoutes(names: () => readonly string[]): void {
    this.#routeNames = names;
    this.#routes = this.#routeCells() ?? privateRoutes(names().length);
  }

  /** A route took a request. Nothing happens when a reload has taken the route away. */
  countRoute(index: number): void {
    const { totals, slots } = this.#routes;
    if (index < slots.length) totals[slots[index]!]!++;
  }

  /** The routes in force, in their order. */
  get routes(): RouteCount[] {
    const { totals, slots } = this.#routes;
    return this.#routeNames().map((name, index) => ({ name, requests: totals[slots[index]!]! }));
  }

  countFailure(code: FailureCode): void {
    this.#failures[CODE_INDEX.get(code)!]!++;
  }

  /** Requests and connections ended by Pointsman, by reason. Every code is there from the start. */
  failures(): readonly (readonly [code: FailureCode, count: number])[] {
    return CODES.map((code, index) => [code, this.#failures[index]!]);
  }
}
