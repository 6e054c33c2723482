import type { PoolConfig } from '../config/schema/pool.ts';

/** How a request or session has fared so far in reaching an endpoint at all. */
export interface Reach {
  /** Attempts that ended before anything was sent. */
  readonly failures: number;
  /** What they took together, milliseconds. */
  readonly lostMs: number;
}

/**
 * Whether another endpoint may be tried after those that could not be reached. Nothing was sent to them, so that is always safe, and no
 * endpoint is tried twice; the limits keep the client from waiting through a long list of endpoints that are all away.
 */
export function triesOn(
  { failures, lostMs }: Reach,
  { connectAttempts, connectDeadline }: PoolConfig['retry'],
): boolean {
  return failures < connectAttempts && lostMs < connectDeadline;
}
