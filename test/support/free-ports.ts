import { existsSync, readFileSync } from 'node:fs';

import { bindStream } from '../../src/net/linux/bind-socket.ts';
import { openBoundFd } from '../../src/net/linux/fd-datagram-listener.ts';
import { available, sys } from '../../src/net/linux/libc.ts';

/** The first and last of the ports that the kernel gives to connections, and to who asks for port 0. */
const KERNEL_RANGE = '/proc/sys/net/ipv4/ip_local_port_range';
/** Below are those of well-known services, and those that people choose. */
const FIRST = 11_000;
const END = endOfOthers();

/** Up to where the kernel gives away no ports. Where it gives away nearly all of them, any will do. */
function endOfOthers(): number {
  const first = existsSync(KERNEL_RANGE) ? Number.parseInt(readFileSync(KERNEL_RANGE, 'utf8'), 10) : 0;
  return first > FIRST + 1000 ? first : 65_536;
}

/** Each process of tests begins somewhere else, and takes none twice. */
let next = FIRST + Math.floor(Math.random() * (END - FIRST));

function isFree(port: number): boolean {
  if (!available) return true;
  const descriptors: number[] = [];
  try {
    descriptors.push(bindStream('0.0.0.0', port, 'alone').fd);
    descriptors.push(openBoundFd('0.0.0.0', port, false));
    return true;
  } catch {
    return false;
  } finally {
    for (const fd of descriptors) sys.close(fd);
  }
}

/**
 * Ports that nobody has, by TCP or UDP, and that the kernel gives to nobody: one that was had by asking for any may be another's a moment
 * later.
 */
export function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = next++;
    if (next === END) next = FIRST;
    if (isFree(port)) ports.push(port);
  }
  return Promise.resolve(ports);
}
