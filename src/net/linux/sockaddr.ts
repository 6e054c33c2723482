import { isIPv4, isIPv6 } from 'node:net';

import { AF, fixed } from './libc.ts';

/** Bytes of the largest address that is used (sockaddr_in6). */
const SIZE = 28;

/** Where addresses are passed to and from the kernel. */
export const sockaddr: Buffer = fixed(64);
/** The length argument that goes with it. */
export const sockaddrLength: Buffer = fixed(8);

/** Tells the kernel how much room there is. */
export function offerRoom(): void {
  sockaddrLength.writeUInt32LE(SIZE, 0);
}

/** Writes an IP address and port into `sockaddr`; returns its family and length, or undefined when `ip` is no address. */
export function writeAddress(ip: string, port: number): { family: number; length: number } | undefined {
  const bytes = sockaddr;
  if (isIPv4(ip)) {
    bytes.fill(0, 0, 16);
    bytes.writeUInt16LE(AF.INET, 0);
    bytes.writeUInt16BE(port, 2);
    for (const [index, part] of ip.split('.').entries()) bytes[4 + index] = Number(part);
    return { family: AF.INET, length: 16 };
  }
  if (!isIPv6(ip)) return undefined;
  bytes.fill(0, 0, SIZE);
  bytes.writeUInt16LE(AF.INET6, 0);
  bytes.writeUInt16BE(port, 2);
  writeIpv6(bytes, 8, ip);
  return { family: AF.INET6, length: SIZE };
}

function writeIpv6(bytes: Buffer, at: number, ip: string): void {
  const plain = ip.split('%')[0]!;
  // An embedded IPv4 tail counts as two groups.
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const text =
    tail === null
      ? plain
      : `${tail[1]}${(Number(tail[2]) * 256 + Number(tail[3])).toString(16)}:${(Number(tail[4]) * 256 + Number(tail[5])).toString(16)}`;
  const [head = '', rest] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = rest === undefined || rest === '' ? [] : rest.split(':');
  const groups =
    rest === undefined
      ? left
      : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  for (const [index, group] of groups.entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), at + index * 2);
}

/** The IP address in `sockaddr`; an IPv4 address that came over IPv6 is written as IPv4. */
export function readIp(): string {
  const bytes = sockaddr;
  if (bytes.readUInt16LE(0) === AF.INET) return `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`;
  const mapped =
    bytes.readUInt32BE(8) === 0 && bytes.readUInt32BE(12) === 0 && bytes.readUInt32BE(16) === 0xffff;
  if (mapped) return `${bytes[20]}.${bytes[21]}.${bytes[22]}.${bytes[23]}`;
  return formatIpv6(Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + index * 2)));
}

/** RFC 5952: the longest run of zeros, of two at least, becomes `::`. */
function formatIpv6(groups: readonly number[]): string {
  let runStart = -1;
  let runLength = 1;
  for (let index = 0; index < 8; index++) {
    let length = 0;
    while (index + length < 8 && groups[index + length] === 0) length++;
    if (length > runLength) {
      runStart = index;
      runLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

export function readPort(): number {
  return sockaddr.readUInt16BE(2);
}
