import { didYouMean } from '../config/suggest.ts';
import type { ControlRefusal } from '../model/endpoint-control.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';

/** The pool of that name, or why there is none. */
export function findPool(pools: readonly Pool[], name: string): Pool | ControlRefusal {
  return pools.find((pool) => pool.name === name) ?? missing('pool', name, pools);
}

/** The endpoint of that name in the pool of that name, or why there is none. */
export function findEndpoint(
  pools: readonly Pool[],
  poolName: string,
  name: string,
): { readonly pool: Pool; readonly endpoint: Endpoint } | ControlRefusal {
  const pool = findPool(pools, poolName);
  if ('code' in pool) return pool;
  const endpoint = pool.view.all.find((candidate) => candidate.name === name);
  return endpoint === undefined
    ? missing('endpoint', name, pool.view.all, ` in pool ${poolName}`)
    : { pool, endpoint };
}

function missing(
  what: 'pool' | 'endpoint',
  name: string,
  known: readonly { readonly name: string }[],
  where = '',
): ControlRefusal {
  const hint = didYouMean(
    name,
    known.map((one) => one.name),
    `${what}s`,
  );
  const message = `there is no ${what} ${JSON.stringify(name)}${where}`;
  return { code: 'not_found', message: hint === undefined ? message : `${message}; ${hint}` };
}
