import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where a run took place, as written into the results. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly system: string;
  readonly congestionControl: string;
  /** Mean number of runnable tasks in the last minute before the run; near 0 on a machine of our own. */
  readonly loadBefore: number;
  readonly date: string;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(readOrEmpty('/etc/os-release'))?.[1] ?? 'unknown',
    congestionControl: readOrEmpty('/proc/sys/net/ipv4/tcp_congestion_control').trim(),
    loadBefore: loadavg()[0] ?? 0,
    date: new Date().toISOString().slice(0, 10),
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Which core a process is pinned to: the proxy under test has one to itself. */
export type Role = 'proxy' | 'load';

/** `command` pinned to the core of its role; as it is on a machine with one core or without taskset. */
export function pinned(role: Role, command: readonly string[]): string[] {
  if (availableParallelism() < 2 || Bun.which('taskset') === null) return [...command];
  return ['taskset', '-c', role === 'proxy' ? '0' : '1', ...command];
}

/** Free TCP ports on loopback, all different. Another process could take one before it is used; it is not retried. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }),
  );
  const ports = listeners.map((listener) => listener.port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}
