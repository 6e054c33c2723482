import type { Endpoint } from '../../src/model/endpoint.ts';
import { type Random, seededRandom } from '../../src/util/random.ts';
import { NOTHING_TRIED, PolicyPool, type PoolSpec } from '../support/policy-pool.ts';

/** How a simulated endpoint treats one request that it begins to work on. */
export interface Treatment {
  readonly serviceMs: number;
  readonly fails?: boolean;
}

export interface Scenario {
  readonly pool: PoolSpec;
  /** Requests that an endpoint works on at once; others wait there in order. */
  readonly slots: number;
  /** Requests a second in the mean, at random moments. */
  readonly ratePerSecond: number;
  readonly requests: number;
  treat(endpoint: Endpoint, nowMs: number, random: Random): Treatment;
  /** Called as each request arrives, to change things on the way. */
  onArrival?(subject: PolicyPool, nowMs: number): void;
  /** Ejects after so many failures in a row, as outlier detection does; 0 never. */
  readonly ejectAfter?: number;
}

interface Waiting {
  readonly arrivedMs: number;
}

const EJECT_MS = 30_000;

/** What one simulated endpoint does at the moment. */
class SimulatedEndpoint {
  working = 0;
  failuresInRow = 0;
  readonly queue: Waiting[] = [];
}

/** Requests, balanced by the real code, over endpoints made of arithmetic; time is virtual and chance is seeded. */
export class Simulation {
  readonly #scenario: Scenario;
  readonly #subject: PolicyPool;
  readonly #random = seededRandom(7);
  readonly #simulated = new Map<Endpoint, SimulatedEndpoint>();
  /** Time from arrival to answer, in the order of the answers. */
  readonly latenciesMs: number[] = [];
  /** Requests sent to each endpoint, by name. */
  readonly sent = new Map<string, number>();
  failures = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#subject = new PolicyPool(scenario.pool);
    for (const endpoint of this.#subject.endpoints) {
      this.#simulated.set(endpoint, new SimulatedEndpoint());
      this.sent.set(endpoint.name, 0);
    }
  }

  run(): this {
    const { clock } = this.#subject;
    for (let request = 0; request < this.#scenario.requests; request++) {
      clock.advance((-Math.log(1 - this.#random.next()) * 1000) / this.#scenario.ratePerSecond);
      this.#scenario.onArrival?.(this.#subject, clock.nowMs());
      this.#arrive(Math.floor(this.#random.next() * 4_294_967_296));
    }
    while (this.latenciesMs.length < this.#scenario.requests) clock.advance(1000);
    return this;
  }

  percentile(percent: number): number {
    const sorted = this.latenciesMs.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!;
  }

  sharePercent(name: string): number {
    return (100 * this.sent.get(name)!) / this.#scenario.requests;
  }

  #arrive(hash: number): void {
    const { clock } = this.#subject;
    const endpoint = this.#subject.take(hash, NOTHING_TRIED);
    if (endpoint === undefined) throw new Error('the pool had no endpoint for a request');
    this.sent.set(endpoint.name, this.sent.get(endpoint.name)! + 1);
    const simulated = this.#simulated.get(endpoint)!;
    const waiting = { arrivedMs: clock.nowMs() };
    if (simulated.working < this.#scenario.slots) this.#begin(endpoint, simulated, waiting);
    else simulated.queue.push(waiting);
  }

  #begin(endpoint: Endpoint, simulated: SimulatedEndpoint, { arrivedMs }: Waiting): void {
    const { clock } = this.#subject;
    simulated.working++;
    const { serviceMs, fails = false } = this.#scenario.treat(endpoint, clock.nowMs(), this.#random);
    clock.after(serviceMs, () => {
      simulated.working--;
      this.#end(endpoint, simulated, clock.nowMs() - arrivedMs, fails);
      const next = simulated.queue.shift();
      if (next !== undefined) this.#begin(endpoint, simulated, next);
    });
  }

  #end(endpoint: Endpoint, simulated: SimulatedEndpoint, ms: number, fails: boolean): void {
    const nowMs = this.#subject.clock.nowMs();
    this.#subject.release(endpoint);
    this.latenciesMs.push(ms);
    if (!fails) {
      simulated.failuresInRow = 0;
      endpoint.latency?.observe(ms, nowMs);
      return;
    }
    this.failures++;
    endpoint.latency?.observeFailure(ms, nowMs);
    if (++simulated.failuresInRow !== this.#scenario.ejectAfter) return;
    simulated.failuresInRow = 0;
    this.#subject.change(endpoint.name, { ejectedUntilMs: nowMs + EJECT_MS });
  }
}
