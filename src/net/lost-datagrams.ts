import { readFileSync, readlinkSync } from 'node:fs';

/** Columns of /proc/net/udp (proc(5), Linux: net/ipv4/udp.c), counted from 0. */
const INODE_COLUMN = 9;
const DROPS_COLUMN = 12;

function linesOf(table: string): readonly string[] {
  try {
    return readFileSync(table, 'latin1').split('\n');
  } catch {
    // Not Linux, or no IPv6.
    return [];
  }
}

/** Datagrams that the system dropped because their socket was full, by number of the socket, of all in this network namespace. */
function dropsBySocket(): ReadonlyMap<string, number> {
  const drops = new Map<string, number>();
  for (const line of [...linesOf('/proc/net/udp'), ...linesOf('/proc/net/udp6')]) {
    const columns = line.trim().split(/\s+/);
    const count = Number(columns[DROPS_COLUMN]);
    if (count > 0) drops.set(columns[INODE_COLUMN]!, count);
  }
  return drops;
}

function socketOf(fd: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? '';
  } catch {
    return '';
  }
}

/**
 * How many datagrams came for some UDP sockets of this process and found them full, since they were opened: by group of descriptors. Reads
 * tables of all sockets of the machine, so it is for an observer, not for the data path.
 */
export function lostDatagrams(groups: ReadonlyMap<string, readonly number[]>): ReadonlyMap<string, number> {
  const drops = groups.size === 0 ? undefined : dropsBySocket();
  const sumOf = (descriptors: readonly number[]): number =>
    descriptors.reduce((sum, fd) => sum + (drops?.get(socketOf(fd)) ?? 0), 0);
  return new Map([...groups].map(([name, descriptors]) => [name, sumOf(descriptors)]));
}
