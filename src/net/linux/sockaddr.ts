import { isIPv4, isIPv6 } from 'node:net';

import { AF, fixed } from './libc.ts';

/** Bytes of the largest address that is used (sockaddr_in6). */
const SIZE = 28;

const IPV4_ADDRESS = { family: AF.INET, length: 16 } as const;

/** Where addresses are passed to and from the kernel. */
export const sockaddr: Buffer = fixed(64);
/** The length argument that goes with it. */
export const sockaddrLength: Buffer = fixed(8);

/** Tells the kernel how much room there is. */
export function offerRoom(): void {
  sockaddrLength.writeUInt32LE(SIZE, 0);
}

/** Addresses that are remembered, each way: the same few endpoints are dialled, and the same clients come again. */
const MAX_REMEMBERED = 4096;
/** IPv4 addresses as the kernel writes them, by their text. */
const ipv4Bytes = new Map<string, number>();
/** ... and the other way round. */
const ipv4Texts = new Map<number, string>();

/** The four bytes of an IPv4 address as one number; -1 when it is none. */
function ipv4Of(ip: string): number {
  const known = ipv4Bytes.get(ip);
  if (known !== undefined) return known;
  if (!isIPv4(ip)) return -1;
  const number = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  if (ipv4Bytes.size >= MAX_REMEMBERED) ipv4Bytes.clear();
  ipv4Bytes.set(ip, number);
  return number;
}

/** An IPv4 address of the kernel as text. */
function ipv4Text(at: number): string {
  const number = sockaddr.readUInt32BE(at);
  const known = ipv4Texts.get(number);
  if (known !== undefined) return known;
  const text = `${sockaddr[at]}.${sockaddr[at + 1]}.${sockaddr[at + 2]}.${sockaddr[at + 3]}`;
  if (ipv4Texts.size >= MAX_REMEMBERED) ipv4Texts.clear();
  ipv4Texts.set(number, text);
  return text;
}

/** Writes an IP address and port into `sockaddr`; returns its family and length, or undefined when `ip` is no address. */
export function writeAddress(ip: string, port: number): { family: number; length: number } | undefined {
  const bytes = sockaddr;
  const ipv4 = ipv4Of(ip);
  if (ipv4 >= 0) {
    bytes.fill(0, 0, 16);
    bytes.writeUInt16LE(AF.INET, 0);
    bytes.writeUInt16BE(port, 2);
    bytes.writeUInt32BE(ipv4, 4);
    return IPV4_ADDRESS;
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
  if (bytes.readUInt16LE(0) === AF.INET) return ipv4Text(4);
  const mapped =
    bytes.readUInt32BE(8) === 0 && bytes.readUInt32BE(12) === 0 && bytes.readUInt32BE(16) === 0xffff;
  if (mapped) return ipv4Text(20);
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
