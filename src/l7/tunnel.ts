import type { TunnelEnd } from '../http/streams.ts';
import type { FailureCode } from '../model/failures.ts';
import type { CloseCause, ConnectionHandler } from '../net/connection.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';

/** How long one direction may stay open after the other has ended because of an error or a drain, milliseconds. */
const CLOSE_GRACE_MS = 5000;

/** One direction of a tunnel: what arrives at `from` goes to `to`. */
class Direction implements ConnectionHandler {
  readonly #tunnel: Tunnel;
  readonly #from: TunnelEnd;
  readonly #to: TunnelEnd;
  bytes = 0;
  ended = false;
  /** The other direction, whose flow depends on what `from` takes. */
  opposite: Direction | undefined = undefined;

  constructor(tunnel: Tunnel, from: TunnelEnd, to: TunnelEnd) {
    this.#tunnel = tunnel;
    this.#from = from;
    this.#to = to;
  }

  /** Serves `from` from now on. */
  attach(): void {
    this.#from.setHandler(this);
  }

  /** Passes on what has come before. */
  begin(): void {
    if (!this.drained) this.hold();
    const { leftover, readEnded } = this.#from;
    if (leftover.length > 0) this.onData(leftover);
    if (readEnded) this.onEnd();
  }

  onData(bytes: Buffer): void {
    if (this.#tunnel.closing) return;
    this.bytes += bytes.length;
    this.#tunnel.active();
    this.#to.write(bytes, 0, bytes.length);
  }

  onEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.#to.shutdown();
    this.#tunnel.ended();
  }

  /** `from` does not take what the opposite direction writes: stop reading there. */
  onCongested(): void {
    this.opposite!.hold();
  }

  onDrain(): void {
    this.#tunnel.active();
    this.opposite!.go();
    this.#tunnel.ended();
  }

  hold(): void {
    this.#from.pause();
  }

  go(): void {
    this.#from.resume();
  }

  get drained(): boolean {
    return this.#to.bufferedBytes === 0;
  }

  onClose(cause: CloseCause): void {
    this.#tunnel.broken(this.#to, cause);
  }
}

/**
 * Two connections joined after a protocol switch: bytes as they come, each direction held back by its receiver and ended on its
 * own (half-close), a reset passed on as a reset, and one idle time for both.
 */
export class Tunnel {
  failure: FailureCode | undefined = undefined;
  readonly #toEndpoint: Direction;
  readonly #toClient: Direction;
  readonly #client: TunnelEnd;
  readonly #endpoint: TunnelEnd;
  readonly #idleMs: number;
  readonly #deadline: Deadline;
  readonly #finished: (tunnel: Tunnel) => void;
  #over = false;
  /** Both sides were asked to end. */
  closing = false;

  constructor(
    client: TunnelEnd,
    endpoint: TunnelEnd,
    wheel: TimerWheel,
    idleMs: number,
    finished: (tunnel: Tunnel) => void,
  ) {
    this.#client = client;
    this.#endpoint = endpoint;
    this.#idleMs = idleMs;
    this.#finished = finished;
    this.#deadline = new Deadline(wheel, this);
    this.#toEndpoint = new Direction(this, client, endpoint);
    this.#toClient = new Direction(this, endpoint, client);
    this.#toEndpoint.opposite = this.#toClient;
    this.#toClient.opposite = this.#toEndpoint;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  get bytesToEndpoint(): number {
    return this.#toEndpoint.bytes;
  }

  /** Lets bytes flow, those first that came behind the heads. */
  begin(): void {
    this.#deadline.start(this.#idleMs);
    // Both, before a byte flows: who gets one may be congested.
    this.#toEndpoint.attach();
    this.#toClient.attach();
    this.#toEndpoint.begin();
    if (!this.#over) this.#toClient.begin();
  }

  /** A byte passed. */
  active(): void {
    if (!this.#over && !this.closing) this.#deadline.start(this.#idleMs);
  }

  /** One direction has ended, or drained; when both have, so has the tunnel. */
  ended(): void {
    if (this.#over || !this.#toEndpoint.ended || !this.#toClient.ended) return;
    if (!this.#toEndpoint.drained || !this.#toClient.drained) return;
    this.#close();
    this.#client.close();
    this.#endpoint.close();
  }

  /** One connection is gone: so is the other, in the same manner. */
  broken(other: TunnelEnd, cause: CloseCause): void {
    if (this.#over) return;
    this.#close();
    if (cause === 'closed') other.close();
    else other.reset();
  }

  /** Asks both sides to end, and cuts them if they do not. */
  shutdown(): void {
    if (this.#over || this.closing) return;
    this.closing = true;
    this.#client.shutdown();
    this.#endpoint.shutdown();
    this.#deadline.start(CLOSE_GRACE_MS);
  }

  onDeadline(): void {
    if (this.#over) return;
    if (!this.closing) this.failure = 'tunnel_idle';
    this.#close();
    this.#client.close();
    this.#endpoint.close();
  }

  #close(): void {
    this.#over = true;
    this.#deadline.cancel();
    this.#finished(this);
  }
}
