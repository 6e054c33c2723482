import { CloseCode } from '../http/websocket-frames.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { runTurn } from '../net/turn.ts';
import type { Clock } from '../util/clock.ts';
import type { Tunnel } from './tunnel.ts';

/** So many tunnels of an endpoint that goes are ended at once, and then as many after each pause. */
const TUNNELS_AT_ONCE = 100;
const SPREAD_MS = 100;

/** The upgraded connections of a listener, and how they end when it is not their own doing. */
export class OpenTunnels {
  readonly #tunnels = new Set<Tunnel>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#tunnels.size;
  }

  add(tunnel: Tunnel): void {
    this.#tunnels.add(tunnel);
  }

  delete(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel);
  }

  /** Asks both ends of those to `endpoint` to close. */
  closeTo(endpoint: Endpoint): void {
    const concerned = [...this.#tunnels].filter((tunnel) => tunnel.endpoint === endpoint);
    this.#endSpread(concerned, 0);
  }

  /** A few at a time: all of them come back as new connections. */
  #endSpread(tunnels: readonly Tunnel[], from: number): void {
    const to = from + TUNNELS_AT_ONCE;
    for (const tunnel of tunnels.slice(from, to)) tunnel.end(CloseCode.ServiceRestart);
    if (to < tunnels.length) this.#clock.after(SPREAD_MS, () => runTurn(() => this.#endSpread(tunnels, to)));
  }

  /** Resets both ends of those to `endpoint`, which is down. */
  cutTo(endpoint: Endpoint): void {
    for (const tunnel of this.#tunnels) if (tunnel.endpoint === endpoint) tunnel.relay.cut();
  }

  /** Ends all of them: the process goes. */
  goAway(): void {
    for (const tunnel of this.#tunnels) tunnel.end(CloseCode.GoingAway);
  }
}
