import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import type { Config } from '../config/schema/config.ts';

/** Where a container finds how much CPU it may use (cgroup v2): quota and period in microseconds, or `max`. */
const CPU_LIMIT_FILE = '/sys/fs/cgroup/cpu.max';

/** Cores that a limit of the container allows; Infinity without one. More workers than that would only hold each other up. */
export function coresAllowed(limit: string): number {
  const [quota, period] = limit.trim().split(' ').map(Number);
  return quota === undefined || period === undefined || Number.isNaN(quota)
    ? Number.POSITIVE_INFINITY
    : Math.max(1, Math.floor(quota / period));
}

function limitOfContainer(): string {
  try {
    return readFileSync(CPU_LIMIT_FILE, 'utf8');
  } catch {
    return 'max';
  }
}

/** How many workers a configuration asks for: `auto` is one for each core that this process may use. */
export function workerCount(workers: Config['workers']): number {
  return workers === 'auto' ? Math.min(availableParallelism(), coresAllowed(limitOfContainer())) : workers;
}
