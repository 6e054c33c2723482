import type { CloseCause, ConnectionHandler } from './connection.ts';
import { Stall } from './stall.ts';
import { Deadline, type TimerWheel } from './timer-wheel.ts';

/** How long one direction may stay open after the other has ended because of an error or a drain, milliseconds. */
const CLOSE_GRACE_MS = 5000;

/**
 * Longest idle time once one side has sent FIN, milliseconds. What is half closed usually has nobody there any more, and each would keep
 * two descriptors for as long as an idle session may.
 */
const HALF_CLOSED_IDLE_MS = 300_000;

/** One side of a relay. */
export interface RelaySide {
  /** Bytes that came before the relay began and belong to it. */
  readonly leftover: Buffer;
  /** The peer has sent FIN already. */
  readonly readEnded: boolean;
  setHandler(handler: ConnectionHandler): void;
  write(bytes: Buffer, start: number, end: number): void;
  readonly bufferedBytes: number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  close(): void;
  reset(): void;
}

/** Counts what passes, piece by piece, for who cannot wait until the end. */
export interface RelayMeter {
  relayed(bytesToEndpoint: number, bytesToClient: number): void;
}

/** How long a relay waits, milliseconds. */
export interface RelayTimes {
  /** Without a byte in either direction, and for an endpoint that takes nothing of what waits for it. */
  readonly idleMs: number;
  /** For a client that takes nothing of what waits for it, whatever it says meanwhile. */
  readonly sendMs: number;
}

/**
 * Why a relay is over: both sides had sent FIN and everything was delivered; one side was gone, which the other was told in the same
 * manner; nothing passed for too long; the client took nothing for too long; or it was asked to end.
 */
export type RelayEnding = 'ended' | 'client-gone' | 'endpoint-gone' | 'idle' | 'client-stalled' | 'asked';

/** One direction of a relay: what arrives at `from` goes to `to`. */
class Direction implements ConnectionHandler {
  readonly #relay: Relay;
  readonly #from: RelaySide;
  readonly #to: RelaySide;
  readonly #fromClient: boolean;
  readonly #meter: RelayMeter | undefined;
  bytes = 0;
  ended = false;
  /** The other direction, whose flow depends on what `from` takes. */
  opposite: Direction | undefined = undefined;
  /** Of `from` as a receiver; undefined while it has always taken everything. */
  #stall: Stall | undefined = undefined;

  constructor(
    relay: Relay,
    from: RelaySide,
    to: RelaySide,
    fromClient: boolean,
    meter: RelayMeter | undefined,
  ) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
    this.#fromClient = fromClient;
    this.#meter = meter;
  }

  /** Serves `from` from now on. */
  attach(): void {
    this.#from.setHandler(this);
  }

  /** Passes on what has come before. */
  begin(): void {
    if (!this.drained) this.opposite!.onCongested();
    const { leftover, readEnded } = this.#from;
    if (leftover.length > 0) this.onData(leftover);
    if (readEnded) this.onEnd();
  }

  onData(bytes: Buffer): void {
    if (this.#relay.closing) return;
    const { length } = bytes;
    this.bytes += length;
    this.#meter?.relayed(this.#fromClient ? length : 0, this.#fromClient ? 0 : length);
    this.#relay.active();
    this.#to.write(bytes, 0, length);
  }

  onEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.#to.shutdown();
    this.#relay.ended();
  }

  /** `from` does not take what the opposite direction writes: stop reading there. */
  onCongested(): void {
    this.opposite!.hold();
    (this.#stall ??= this.#relay.stallOf(this.#from, this.#fromClient)).begin();
  }

  onDrain(): void {
    this.#stall?.stop();
    this.#relay.active();
    this.opposite!.go();
    this.#relay.ended();
  }

  hold(): void {
    this.#from.pause();
  }

  go(): void {
    this.#from.resume();
  }

  /** Nothing happens here any more. */
  over(): void {
    this.#stall?.cancel();
  }

  get drained(): boolean {
    return this.#to.bufferedBytes === 0;
  }

  onClose(cause: CloseCause): void {
    this.#relay.broken(this.#to, this.#fromClient ? 'client-gone' : 'endpoint-gone', cause);
  }
}

/**
 * Two connections joined: bytes as they come, each direction held back by its receiver and ended on its own (half-close), a reset
 * passed on as a reset, and one idle time for both. A tunnel of HTTP and a TCP session are both one.
 */
export class Relay {
  /** Why it is over; undefined before. */
  ending: RelayEnding | undefined = undefined;
  readonly #toEndpoint: Direction;
  readonly #toClient: Direction;
  readonly #client: RelaySide;
  readonly #endpoint: RelaySide;
  readonly #times: RelayTimes;
  readonly #wheel: TimerWheel;
  readonly #deadline: Deadline;
  readonly #finished: (relay: Relay) => void;
  /** Both sides were asked to end. */
  closing = false;

  constructor(
    client: RelaySide,
    endpoint: RelaySide,
    wheel: TimerWheel,
    times: RelayTimes,
    finished: (relay: Relay) => void,
    meter?: RelayMeter,
  ) {
    this.#client = client;
    this.#endpoint = endpoint;
    this.#times = times;
    this.#wheel = wheel;
    this.#finished = finished;
    this.#deadline = new Deadline(wheel, this);
    this.#toEndpoint = new Direction(this, client, endpoint, true, meter);
    this.#toClient = new Direction(this, endpoint, client, false, meter);
    this.#toEndpoint.opposite = this.#toClient;
    this.#toClient.opposite = this.#toEndpoint;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  get bytesToEndpoint(): number {
    return this.#toEndpoint.bytes;
  }

  /** Lets bytes flow, those first that came before. */
  begin(): void {
    this.#deadline.start(this.#times.idleMs);
    // Both, before a byte flows: who gets one may be congested.
    this.#toEndpoint.attach();
    this.#toClient.attach();
    this.#toEndpoint.begin();
    if (this.ending === undefined) this.#toClient.begin();
  }

  /** A byte passed. */
  active(): void {
    if (this.ending === undefined && !this.closing) this.#deadline.start(this.#idleLimitMs);
  }

  get #idleLimitMs(): number {
    const halfClosed = this.#toEndpoint.ended || this.#toClient.ended;
    const { idleMs } = this.#times;
    return halfClosed ? Math.min(idleMs, HALF_CLOSED_IDLE_MS) : idleMs;
  }

  /** One direction has ended, or drained; when both have, so has the relay. */
  ended(): void {
    if (this.ending !== undefined) return;
    if (!this.#toEndpoint.ended || !this.#toClient.ended) {
      this.active();
      return;
    }
    if (!this.#toEndpoint.drained || !this.#toClient.drained) return;
    this.#over(this.closing ? 'asked' : 'ended');
    this.#client.close();
    this.#endpoint.close();
  }

  /** One connection is gone: so is the other, in the same manner. */
  broken(other: RelaySide, ending: RelayEnding, cause: CloseCause): void {
    if (this.ending !== undefined) return;
    this.#over(this.closing ? 'asked' : ending);
    if (cause === 'closed') other.close();
    else other.reset();
  }

  /** Asks both sides to end, and cuts them if they do not. */
  shutdown(): void {
    if (this.ending !== undefined || this.closing) return;
    this.closing = true;
    this.#client.shutdown();
    this.#endpoint.shutdown();
    this.#deadline.start(CLOSE_GRACE_MS);
  }

  /** Ends both sides at once, by resets. */
  cut(): void {
    if (this.ending !== undefined) return;
    this.#over('asked');
    this.#client.reset();
    this.#endpoint.reset();
  }

  /** What is done about a side that does not take what waits for it. */
  stallOf(side: RelaySide, isClient: boolean): Stall {
    const { sendMs, idleMs } = this.#times;
    return new Stall(this.#wheel, side, isClient ? sendMs : idleMs, () => this.#stalled(isClient));
  }

  #stalled(isClient: boolean): void {
    if (this.ending !== undefined) return;
    this.#over(isClient ? 'client-stalled' : 'idle');
    // What waits for it will not be taken: the kernel need not keep it either.
    (isClient ? this.#client : this.#endpoint).reset();
    (isClient ? this.#endpoint : this.#client).close();
  }

  onDeadline(): void {
    if (this.ending !== undefined) return;
    this.#over(this.closing ? 'asked' : 'idle');
    this.#client.close();
    this.#endpoint.close();
  }

  #over(ending: RelayEnding): void {
    this.ending = ending;
    this.#deadline.cancel();
    this.#toEndpoint.over();
    this.#toClient.over();
    this.#finished(this);
  }
}
