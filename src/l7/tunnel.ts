import { CloseCode, type CloseCodeNumber, closeFrame, FrameTracker } from '../http/websocket-frames.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ConnectionHandler } from '../net/connection.ts';
import { Relay, type RelaySide, type RelayTimes } from '../net/relay.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import type { Random } from '../util/random.ts';

/** How long both peers have to answer a Close frame before the connections end, milliseconds. */
const ANSWER_MS = 2000;

/** An upgraded connection, and where it leads. */
export interface Tunnel {
  readonly relay: Relay;
  readonly endpoint: Endpoint;
  /** Asks both peers to end; those of a WebSocket are told why. */
  end(code: CloseCodeNumber): void;
}

/** What tunnels are made with. */
export interface TunnelDeps {
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly times: RelayTimes;
  readonly finished: (relay: Relay) => void;
}

/**
 * Joins two connections after a protocol switch.
 * @param protocol What was switched to, lower case. WebSockets (RFC 6455) end with Close frames, others with FIN.
 */
export function openTunnel(
  protocol: string,
  client: RelaySide,
  endpointSide: RelaySide,
  endpoint: Endpoint,
  { wheel, random, times, finished }: TunnelDeps,
): Tunnel {
  if (protocol !== 'websocket') {
    const relay = new Relay(client, endpointSide, wheel, times, finished);
    return { relay, endpoint, end: () => relay.shutdown() };
  }
  return new WebSocketTunnel(client, endpointSide, endpoint, { wheel, random, times, finished });
}

/** One side of a WebSocket: passes frames on, and knows where one of ours may stand. */
class WebSocketSide implements RelaySide {
  /** Nothing more is passed on: our Close frame was the last. */
  #closed = false;
  #code: CloseCodeNumber | undefined = undefined;
  readonly #side: RelaySide;
  readonly #tracker = new FrameTracker();
  /** Makes masking keys; undefined towards clients. */
  readonly #random: Random | undefined;
  /** What is written here said that its sender closes. */
  readonly #closeSeen: () => void;

  constructor(side: RelaySide, random: Random | undefined, closeSeen: () => void) {
    this.#side = side;
    this.#random = random;
    this.#closeSeen = closeSeen;
  }

  get leftover(): Buffer {
    return this.#side.leftover;
  }

  get readEnded(): boolean {
    return this.#side.readEnded;
  }

  get bufferedBytes(): number {
    return this.#side.bufferedBytes;
  }

  setHandler(handler: ConnectionHandler): void {
    this.#side.setHandler(handler);
  }

  write(bytes: Buffer, start: number, end: number): void {
    const tracker = this.#tracker;
    let at = start;
    if (!this.#closed) {
      at = tracker.follow(bytes, start, end, this.#code !== undefined);
      this.#side.write(bytes, start, at);
      this.#closeIfPossible();
    }
    if (at < end) tracker.follow(bytes, at, end, false);
    if (tracker.closeSeen) this.#closeSeen();
  }

  /** Sends a Close frame as soon as none is cut by it. */
  closeWith(code: CloseCodeNumber): void {
    this.#code ??= code;
    this.#closeIfPossible();
  }

  #closeIfPossible(): void {
    if (this.#code === undefined || this.#closed || !this.#tracker.atBoundary) return;
    this.#closed = true;
    // The peer has told the other side already, and that frame went through: a second one would be an error.
    if (this.#tracker.closeSeen) return;
    const frame = closeFrame(this.#code, this.#random === undefined ? undefined : maskFrom(this.#random));
    this.#side.write(frame, 0, frame.length);
  }

  pause(): void {
    this.#side.pause();
  }

  resume(): void {
    this.#side.resume();
  }

  shutdown(): void {
    // Nothing may be written behind a FIN.
    this.#closed = true;
    this.#side.shutdown();
  }

  /** At the end of an idle time, or because the other side is gone: the peer is told if nobody has done so. */
  close(): void {
    this.closeWith(CloseCode.GoingAway);
    this.#side.close();
  }

  reset(): void {
    this.#side.reset();
  }
}

function maskFrom(random: Random): Uint8Array {
  return Uint8Array.from({ length: 4 }, () => random.next() * 256);
}

class WebSocketTunnel implements Tunnel {
  readonly relay: Relay;
  readonly endpoint: Endpoint;
  readonly #toClient: WebSocketSide;
  readonly #toEndpoint: WebSocketSide;
  readonly #deadline: Deadline;
  #ending = false;
  #clientCloses = false;
  #endpointCloses = false;

  constructor(client: RelaySide, endpointSide: RelaySide, endpoint: Endpoint, deps: TunnelDeps) {
    const { wheel, random, times, finished } = deps;
    this.endpoint = endpoint;
    this.#deadline = new Deadline(wheel, this);
    this.#toClient = new WebSocketSide(client, undefined, () => {
      this.#endpointCloses = true;
      this.#answered();
    });
    this.#toEndpoint = new WebSocketSide(endpointSide, random, () => {
      this.#clientCloses = true;
      this.#answered();
    });
    this.relay = new Relay(this.#toClient, this.#toEndpoint, wheel, times, (relay) => {
      this.#deadline.cancel();
      finished(relay);
    });
  }

  end(code: CloseCodeNumber): void {
    if (this.#ending || this.relay.ending !== undefined) return;
    this.#ending = true;
    this.#toClient.closeWith(code);
    this.#toEndpoint.closeWith(code);
    this.#deadline.start(ANSWER_MS);
    this.#answered();
  }

  /** Both have closed: nothing more will come of them. */
  #answered(): void {
    if (this.#ending && this.#clientCloses && this.#endpointCloses) this.onDeadline();
  }

  onDeadline(): void {
    this.#deadline.cancel();
    this.relay.shutdown();
  }
}
