import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { ListenerView, WorkerView } from '../model/runtime-view.ts';
import type { CountingMemory } from './counting-memory.ts';
import type { FigureBook } from './figures.ts';
import type { HeldListeners } from './held-listeners.ts';
import type { ListenerBook } from './listener-book.ts';
import type { WatchedPools } from './watched-pools.ts';
import { obstaclesOf, workerViews } from './worker-views.ts';
import type { Workers } from './workers.ts';

/** What is looked at. */
export interface PlaneViewDeps {
  readonly memory: CountingMemory;
  readonly sockets: HeldListeners;
  readonly pools: WatchedPools;
  readonly listeners: ListenerBook;
  readonly figures: FigureBook;
  readonly workers: Workers;
}

/** How everything stands that a control plane has in force, as the admin interface, metrics and the log are told. */
export class PlaneView {
  readonly #deps: PlaneViewDeps;

  constructor(deps: PlaneViewDeps) {
    this.#deps = deps;
  }

  pools(): readonly Pool[] {
    return this.#deps.pools.all();
  }

  listeners(): readonly ListenerView[] {
    const { listeners, sockets } = this.#deps;
    return listeners.views((name) => sockets.portOf(name));
  }

  workers(): readonly WorkerView[] {
    return workerViews(this.#deps.workers, this.#deps.figures);
  }

  /** Why nobody accepts connections, for people; empty when somebody does. */
  obstacles(): readonly string[] {
    return obstaclesOf(this.#deps.workers);
  }

  /** Datagrams that found the sockets of a udp listener full. */
  lostDatagrams(): ReadonlyMap<string, number> {
    return this.#deps.sockets.lostDatagrams();
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#deps.figures.idleConnections(endpoint);
  }

  /** Requests that workers have taken down in the access log. */
  accessLog(): { readonly lines: number; readonly droppedLines: number } {
    return this.#deps.figures.accessLog;
  }

  /** Requests, tunnels and sessions under way, as far as workers have told. */
  busy(): number {
    return this.pools().reduce((sum, { activeRequests }) => sum + activeRequests, 0);
  }

  /** Brings all figures up to now, those that workers must be asked for, too. */
  async collect(): Promise<void> {
    await this.#deps.workers.collect();
    this.gather();
  }

  /** Sums up what workers have counted in shared memory so far. */
  gather(): void {
    this.#deps.memory.gather();
  }
}
