import type { ListenerReport } from '../admin/listener-report.ts';
import type { EndpointReport, PoolReport } from '../admin/pool-report.ts';
import type { ConfigChange } from '../config/diff.ts';

/** What a running instance has to do with a changed object now. */
export interface Touched {
  /** Client connections of a listener, or connections to endpoints. */
  readonly connections: number;
  /** Requests under way, tunnels and sessions not counted; of a listener it is not known. */
  readonly requests: number;
  readonly tunnels: number;
}

/** State of a running instance, as its admin API tells it. */
export interface LiveReports {
  readonly listeners: readonly ListenerReport[];
  readonly pools: readonly PoolReport[];
}

const EFFECTS: Readonly<Record<ConfigChange['object'], Partial<Record<ConfigChange['change'], string>>>> = {
  setting: { changed: 'in force at once' },
  listener: {
    added: 'listens',
    removed:
      'accepts no more; each connection ends with its next response, tunnels and sessions when they end by themselves',
    moved: 'listens there; its connections stay open',
    changed: 'holds for new sessions, and from the next request of every connection on; none is closed',
  },
  route: {
    added: 'holds for new requests',
    removed: 'takes no new requests; those under way finish',
    moved: 'holds for new requests',
    changed: 'holds for new requests; those under way finish as they began',
  },
  pool: {
    added: 'its checks begin',
    removed: 'takes no new requests; those under way and in its queue finish',
    changed: 'its endpoints keep health, counters and connections',
  },
  endpoint: {
    added: 'takes requests, and its checks begin',
    removed: 'gets nothing new; what is under way finishes, idle connections close',
    moved: 'is another server: the one before gets nothing new and finishes what it has',
    changed: 'keeps health, counters and connections',
  },
};

/** What a reload does about a change, in words. */
export function effectOf({ object, name, change, restart }: ConfigChange): string {
  if (restart) return 'not by a reload: it takes a restart';
  if (object === 'setting' && name === 'workers')
    return 'workers that are too many finish what they have and end; new ones take connections when they are ready';
  return EFFECTS[object][change] ?? '';
}

function ofEndpoints(endpoints: readonly EndpointReport[]): Touched {
  let requests = 0;
  let tunnels = 0;
  let connections = 0;
  for (const endpoint of endpoints) {
    requests += endpoint.active - endpoint.tunnels - endpoint.sessions;
    tunnels += endpoint.tunnels;
    connections += endpoint.active + endpoint.connections.idle;
  }
  return { connections, requests, tunnels };
}

/** How much a change touches now; undefined for what carries nothing by itself. */
export function touchedBy({ object, name, change }: ConfigChange, live: LiveReports): Touched | undefined {
  if (change === 'added') return undefined;
  if (object === 'listener') {
    const listener = live.listeners.find((candidate) => candidate.name === name);
    return listener === undefined
      ? undefined
      : { connections: listener.connections.open, requests: 0, tunnels: listener.tunnels };
  }
  if (object === 'pool') {
    const pool = live.pools.find((candidate) => candidate.name === name);
    return pool === undefined ? undefined : ofEndpoints(pool.endpoints);
  }
  if (object !== 'endpoint') return undefined;
  const slash = name.indexOf('/');
  const pool = live.pools.find((candidate) => candidate.name === name.slice(0, slash));
  const found = pool?.endpoints.filter((candidate) => candidate.name === name.slice(slash + 1)) ?? [];
  return found.length === 0 ? undefined : ofEndpoints(found);
}
