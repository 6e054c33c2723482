import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks a second in /proc/PID/stat; 100 on every Linux that we know. */
const TICKS_PER_SECOND = 100;

/** CPU time of a process tree at one moment. */
export interface CpuReading {
  /** Time on a core by thread id, in nanoseconds. */
  readonly threads: ReadonlyMap<number, number>;
  /** User and system time of the tree, threads and children that are gone included, in clock ticks. */
  readonly ticks: number;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Fields of /proc/PID/stat after the command name, which may hold spaces: [0] is field 3 of proc(5). */
function statFields(pid: number): readonly string[] {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** `rootPid` and all its living descendants. */
function processTree(rootPid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statFields(pid)[1]);
    const siblings = childrenOf.get(parent);
    if (siblings === undefined) childrenOf.set(parent, [pid]);
    else siblings.push(pid);
  }
  const tree = [rootPid];
  for (const pid of tree) tree.push(...(childrenOf.get(pid) ?? []));
  return tree;
}

/** Reads the CPU time that `rootPid` and its descendants have used so far. */
export function readCpu(rootPid: number): CpuReading {
  const threads = new Map<number, number>();
  let ticks = 0;
  for (const pid of processTree(rootPid)) {
    const fields = statFields(pid);
    for (const field of [11, 12, 13, 14]) ticks += Number(fields[field] ?? 0);
    for (const thread of listOrEmpty(`/proc/${pid}/task`)) {
      const onCoreNs = Number(readOrEmpty(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]);
      threads.set(Number(thread), onCoreNs);
    }
  }
  return { threads, ticks };
}

function listOrEmpty(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/**
 * CPU time between two readings, in nanoseconds. Exact while every thread of the first reading still lives or had
 * nothing to add; when one has gone, the coarser ticks (10 ms) are used, which include it.
 */
export function cpuNsBetween(before: CpuReading, after: CpuReading): number {
  let sumNs = 0;
  for (const thread of before.threads.keys()) {
    if (!after.threads.has(thread)) return ((after.ticks - before.ticks) / TICKS_PER_SECOND) * 1e9;
  }
  for (const [thread, onCoreNs] of after.threads) sumNs += onCoreNs - (before.threads.get(thread) ?? 0);
  return sumNs;
}

/** What the whole machine and we did up to one moment. */
export interface MachineReading {
  /** Time that all cores together were busy, in clock ticks. */
  readonly busyTicks: number;
  /** Of that, time of this process and its descendants, in clock ticks. */
  readonly ownTicks: number;
  readonly atMs: number;
}

/** Reads how busy the machine was so far, with everybody and with us. */
export function readMachine(): MachineReading {
  // user, nice, system, idle, iowait, irq, softirq, steal: see proc(5).
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(readOrEmpty('/proc/stat'))?.[1]?.split(' ').map(Number) ?? [];
  return {
    busyTicks: user + nice + system + irq + softirq + steal,
    ownTicks: readCpu(process.pid).ticks,
    atMs: performance.now(),
  };
}

/** Share of one core (1 is a whole one) that others used between two readings; 0 when they used none. */
export function foreignCores(before: MachineReading, after: MachineReading): number {
  const busy = after.busyTicks - before.busyTicks;
  const own = after.ownTicks - before.ownTicks;
  const seconds = (after.atMs - before.atMs) / 1000;
  return Math.max(0, (busy - own) / TICKS_PER_SECOND / seconds);
}

/** Memory of the tree in bytes, each shared page counted once between those that share it (PSS). */
export function readMemoryBytes(rootPid: number): number {
  let sumKib = 0;
  for (const pid of processTree(rootPid)) {
    sumKib += Number(/^Pss:\s+(\d+) kB/m.exec(readOrEmpty(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  }
  return sumKib * 1024;
}
