import type { EndpointStream } from '../http/streams.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { RelaySide } from '../net/relay.ts';
import { turnNowMs } from '../net/turn.ts';
import type { L7Pool } from './l7-pool.ts';
import type { L7Shared } from './l7-shared.ts';

/** One try at one endpoint: its place there, its stream, and what is said of the endpoint because of it. Used again for the next. */
export class Attempt {
  /** Undefined before the first. */
  endpoint: Endpoint | undefined = undefined;
  /** On which the request goes; undefined before the endpoint is reached, and when that is over. */
  stream: EndpointStream | undefined = undefined;
  /** Time that it took to connect, milliseconds; 0 on a connection that was there. */
  connectMs = 0;
  readonly #shared: L7Shared;
  #l7Pool!: L7Pool;
  #holdsPlace = false;
  /** When it began, or when the connection was there. */
  #sinceMs = 0;

  constructor(shared: L7Shared) {
    this.#shared = shared;
  }

  /** Forgets the endpoint of another request. */
  reset(): void {
    this.endpoint = undefined;
    this.connectMs = 0;
  }

  /** It holds nothing. */
  get over(): boolean {
    return !this.#holdsPlace && this.stream === undefined;
  }

  /** Since the request could be sent, milliseconds; until then, since it began. */
  get elapsedMs(): number {
    return turnNowMs() - this.#sinceMs;
  }

  /** Uses a place that was taken at `endpoint`. */
  begin(l7Pool: L7Pool, endpoint: Endpoint, isRetry: boolean): void {
    this.#l7Pool = l7Pool;
    this.#holdsPlace = true;
    this.endpoint = endpoint;
    endpoint.stats.requests++;
    if (isRetry) endpoint.stats.retries++;
    this.#sinceMs = turnNowMs();
  }

  /** The request can be sent. `dialled`: the connection is new. */
  reached(stream: EndpointStream, dialled: boolean): void {
    this.stream = stream;
    this.connectMs = dialled ? this.elapsedMs : 0;
    if (dialled) this.#sinceMs = turnNowMs();
  }

  /** The head of a response has come that goes to the client. */
  answered(status: number): void {
    const { stats, latency } = this.endpoint!;
    stats.statuses[(status / 100) | 0]!++;
    if (status >= 500) stats.errors++;
    latency?.observe(this.elapsedMs, turnNowMs());
  }

  /** Its stream becomes one side of a tunnel. */
  startTunnel(): RelaySide {
    const side = this.stream!.startTunnel();
    this.stream = undefined;
    return side;
  }

  /** Its stream is over; so much was exchanged on it, heads included. */
  streamEnded(bytesReceived: number, bytesSent: number): void {
    const { stats } = this.endpoint!;
    this.stream = undefined;
    stats.bytesIn += bytesReceived;
    stats.bytesOut += bytesSent;
  }

  /** Gives up the stream, if there is one: the endpoint sees a reset. */
  abort(): void {
    const { stream } = this;
    if (stream === undefined) return;
    this.streamEnded(stream.bytesReceived, stream.bytesSent);
    stream.abort();
  }

  /** The endpoint is judged by how it answered. */
  approve(status: number): void {
    this.#shared.observer.observe(this.#l7Pool.pool, this.endpoint!, undefined, status);
  }

  /** The response is whole. Only now: an endpoint that cuts its answers short would look well by their heads. */
  succeeded(status: number): void {
    this.endpoint!.stats.latency.record(this.elapsedMs);
    this.approve(status);
    this.release();
  }

  /** The endpoint is judged by how it failed. */
  blame(code: FailureCode): void {
    const endpoint = this.endpoint!;
    endpoint.stats.errors++;
    endpoint.latency?.observeFailure(this.elapsedMs, turnNowMs());
    this.#shared.observer.observe(this.#l7Pool.pool, endpoint, code, 0);
    this.release();
  }

  /** Gives back the place, once for each time it was taken. */
  release(): void {
    if (!this.#holdsPlace) return;
    this.#holdsPlace = false;
    this.#shared.balancer.release(this.#l7Pool.pool, this.endpoint!);
    this.#l7Pool.queue.wake(this.endpoint);
  }
}
