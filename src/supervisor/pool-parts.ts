import type { PoolConfig } from '../config/schema/pool.ts';
import { parseStatusSet } from '../config/status-set.ts';
import { CookieAffinity } from '../filters/affinity/cookie-affinity.ts';
import { hashKeyOf } from '../l7/hash-key.ts';
import type { L7PoolParts } from '../l7/l7-pool.ts';
import { GRPC_STATUS_NAMES, type GrpcStatusName } from '../model/grpc-status.ts';
import type { Affinity } from '../model/filter.ts';
import { hashedKey } from '../model/hashed-key.ts';
import type { Pool } from '../model/pool.ts';

/**
 * What a configuration links to a pool.
 * @param before The affinity in force, which stays if nothing about it changed.
 */
export function poolParts(pool: Pool, config: PoolConfig, before?: Affinity): L7PoolParts {
  const { affinity, retry } = config;
  const key = hashedKey(config);
  const same = before !== undefined && Bun.deepEquals(affinity, pool.config.affinity);
  return {
    affinity: same ? before : affinity === undefined ? undefined : new CookieAffinity(pool, affinity),
    hashKey: key === undefined ? undefined : hashKeyOf(key),
    retryStatus: retry.statuses.length === 0 ? undefined : parseStatusSet(retry.statuses),
    retryGrpcStatus: grpcStatusSet(retry.grpcStatuses),
  };
}

function grpcStatusSet(names: readonly GrpcStatusName[]): ((status: number) => boolean) | undefined {
  if (names.length === 0) return undefined;
  const wanted = new Set(names.map((name) => GRPC_STATUS_NAMES.indexOf(name)));
  return (status) => wanted.has(status);
}
