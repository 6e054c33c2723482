import type { AdminState } from '../../src/admin/state.ts';
import { pool as poolSchema } from '../../src/config/schema/pool.ts';
import { Endpoint } from '../../src/model/endpoint.ts';
import { ListenerStats } from '../../src/model/listener-stats.ts';
import { Pool } from '../../src/model/pool.ts';
import type { ListenerView, Readiness, RuntimeView, WorkerView } from '../../src/model/runtime-view.ts';
import type { Clock } from '../../src/util/clock.ts';

/** A pool with everything at its default. The first endpoint is always picked. */
export function samplePool(name: string, endpoints: readonly (string | object)[]): Pool {
  const config = poolSchema.parse({ name, endpoints });
  const all = config.endpoints.map((endpoint) => new Endpoint(name, endpoint));
  return new Pool(config, { all, available: all, panic: false, picker: { pick: () => all[0] } });
}

/** A running process as observers see it, to be changed at will. */
export class SampleRuntime implements RuntimeView {
  readonly version = '1.2.3';
  readonly startWallMs = 1_700_000_000_000;
  readonly poolList: Pool[] = [];
  readonly listenerList: ListenerView[] = [];
  readonly workerList: WorkerView[] = [];
  readonly idle = new Map<Endpoint, number>();
  state: Readiness = { ready: true, reasons: [] };

  addPool(name: string, endpoints: readonly (string | object)[]): Pool {
    const pool = samplePool(name, endpoints);
    this.poolList.push(pool);
    return pool;
  }

  /** A worker that does well. */
  addWorker(more: Partial<WorkerView> = {}): WorkerView {
    const worker: WorkerView = {
      worker: this.workerList.length + 1,
      state: 'ready',
      pid: 4711,
      upSeconds: 60,
      restarts: 0,
      stuckSeconds: 0,
      coveredBy: undefined,
      connections: 3,
      userCpuSeconds: 2,
      systemCpuSeconds: 1,
      residentBytes: 50_000_000,
      eventLoopLagMs: 1.5,
      ...more,
    };
    this.workerList.push(worker);
    return worker;
  }

  addListener(name: string, pools: readonly string[], alpn?: readonly string[]): ListenerStats {
    const stats = new ListenerStats();
    this.listenerList.push({
      name,
      address: '0.0.0.0:8080',
      protocol: 'http',
      alpn,
      pools,
      stats,
      certificates: [{ names: ['a.example'], kind: 'ec', serial: '0A', notAfterMs: 1_900_000_000_000 }],
    });
    return stats;
  }

  revision(): number {
    return 7;
  }

  automaticCertificates(): readonly [] {
    return [];
  }

  readiness(): Readiness {
    return this.state;
  }

  pools(): readonly Pool[] {
    return this.poolList;
  }

  listeners(): readonly ListenerView[] {
    return this.listenerList;
  }

  lostDatagrams(): ReadonlyMap<string, number> {
    return new Map([['datagrams', 0]]);
  }

  workers(): readonly WorkerView[] {
    return this.workerList;
  }

  idleConnections(endpoint: Endpoint): number {
    return this.idle.get(endpoint) ?? 0;
  }
}

/** What the admin API works with; nothing can be changed through it. */
export function sampleAdminState(view: RuntimeView, clock: Clock): AdminState {
  const refusal = { code: 'conflict', message: 'a sample changes nothing' } as const;
  return {
    view,
    clock,
    control: {
      reload: () => Promise.reject(new Error('unused')),
      saveChanges: () => Promise.reject(new Error('unused')),
    },
    upgrades: { upgrade: () => Promise.reject(new Error('unused')) },
    endpoints: {
      change: () => refusal,
      add: () => refusal,
      remove: () => refusal,
      changes: () => [],
      discard: () => 0,
      version: () => 0,
    },
    refresh: () => Promise.resolve(),
    settle: () => Promise.resolve(),
    window: () => ({ spanMs: 0, requestsPerSecond: 0, errorRate: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 }),
    metrics: () => Promise.reject(new Error('unused')),
  };
}
