import { CloseCode } from '../http/websocket-frames.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Relay, RelaySide, RelayTimes } from '../net/relay.ts';
import { runTurn } from '../net/turn.ts';
import type { L7Shared } from './l7-shared.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';

/** So many tunnels of an endpoint that goes are ended at once, and then as many after each pause. */
const TUNNELS_AT_ONCE = 100;
const SPREAD_MS = 100;

/** The upgraded connections of a listener: counted while they are open, and how they end when it is not their own doing. */
export class OpenTunnels {
  readonly #tunnels = new Set<Tunnel>();
  readonly #stats: ListenerStats;
  readonly #shared: L7Shared;

  constructor(stats: ListenerStats, shared: L7Shared) {
    this.#stats = stats;
    this.#shared = shared;
  }

  get size(): number {
    return this.#tunnels.size;
  }

  /**
   * Joins both sides after a protocol switch.
   * @param protocol what was switched to, lower case
   * @param finished hears of the end once, and may do so before this returns
   */
  open(
    protocol: string,
    client: RelaySide,
    endpointSide: RelaySide,
    endpoint: Endpoint,
    times: RelayTimes,
    finished: (relay: Relay) => void,
  ): void {
    const { wheel, random } = this.#shared;
    this.#stats.tunnels.add(1);
    endpoint.counts.tunnels.add(1);
    const tunnel = openTunnel(protocol, client, endpointSide, endpoint, {
      wheel,
      random,
      times,
      finished: (relay) => {
        this.#closed(tunnel);
        finished(relay);
      },
    });
    this.#tunnels.add(tunnel);
    tunnel.relay.begin();
  }

  #closed(tunnel: Tunnel): void {
    const { endpoint, relay } = tunnel;
    this.#stats.tunnels.add(-1);
    endpoint.counts.tunnels.add(-1);
    this.#tunnels.delete(tunnel);
    endpoint.stats.bytesIn += relay.bytesToClient;
    endpoint.stats.bytesOut += relay.bytesToEndpoint;
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
    if (to < tunnels.length)
      this.#shared.clock.after(SPREAD_MS, () => runTurn(() => this.#endSpread(tunnels, to)));
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
