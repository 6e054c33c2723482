import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { type Rival, type RivalName, startRival } from '../support/rivals.ts';
import { echo, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import type { HostPort } from '../support/wire.ts';

/**
 * One listener with one endpoint behind it, used by one case at a time: whatever arrives at the endpoint was caused by
 * that case. All lanes belong to one process, so a case that upsets the process upsets the others, and is seen.
 */
export interface Lane {
  readonly proxy: HostPort;
  readonly endpoint: ScriptedEndpoint;
}

const LANES = 16;
/** Time for the proxy to see that the endpoint has closed the connections of the last case. */
const SETTLE_MS = 25;

export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #free: Lane[];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  readonly #proxy: Pointsman | Rival;

  private constructor(lanes: readonly Lane[], proxy: Pointsman | Rival) {
    this.#lanes = lanes;
    this.#free = [...lanes];
    this.#proxy = proxy;
  }

  /** Starts Pointsman, or a rival in its place, before new endpoints. */
  static async start(rival?: RivalName): Promise<Lanes> {
    const endpoints = await Promise.all(Array.from({ length: LANES }, () => ScriptedEndpoint.start()));
    if (rival !== undefined) {
      const proxy = await startRival(
        rival,
        endpoints.map(({ address }) => address),
      );
      const lanes = endpoints.map((endpoint, index) => ({ endpoint, proxy: proxy.addresses[index]! }));
      return new Lanes(lanes, proxy);
    }
    const proxy = await startPointsman({
      listeners: endpoints.map((_, index) => ({
        name: `lane-${index}`,
        address: '127.0.0.1:0',
        timeouts: { requestHead: '1500ms', requestBody: '1500ms', idle: '30s' },
        routes: [{ pool: `lane-${index}` }],
      })),
      pools: endpoints.map((endpoint, index) => ({
        name: `lane-${index}`,
        endpoints: [endpoint.name],
        outlierDetection: false,
        timeouts: { connect: '1s', response: '3s', responseBody: '2s' },
      })),
    });
    const lanes = endpoints.map((endpoint, index) => ({ endpoint, proxy: proxy.address(`lane-${index}`) }));
    return new Lanes(lanes, proxy);
  }

  /** Runs `work` with a lane of its own. */
  async with<T>(work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = this.#free.pop() ?? (await new Promise<Lane>((resolve) => this.#waiting.push(resolve)));
    try {
      return await work(lane);
    } finally {
      lane.endpoint.reset();
      lane.endpoint.script = echo;
      await Bun.sleep(SETTLE_MS);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(lane);
      else next(lane);
    }
  }

  /** Whether the process still lives; a rival is taken to. */
  get alive(): boolean {
    return 'running' in this.#proxy ? this.#proxy.running : true;
  }

  async stop(): Promise<void> {
    for (const { endpoint } of this.#lanes) await endpoint[Symbol.asyncDispose]();
    await this.#proxy.stop();
  }
}
