/**
 * IP addresses as text and as numbers. An address is four 32-bit words, most significant first; IPv4 has its value in
 * the last word and zeros before it. The two families never match each other: `::/0` holds no IPv4 address.
 * IPv4-mapped IPv6 addresses (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) are IPv4 addresses everywhere.
 */

/** Family of an address; 0 when a text is none. */
export type IpFamily = 0 | 4 | 6;

const scratch = new Uint32Array(4);
const groups = new Uint16Array(8);

const DOT = 46;
const ZERO = 48;
const COLON = 58;

/** Reads dotted decimal between `start` and `end`: four numbers to 255, no leading zeros. -1 when it is anything else. */
function parseIpv4(text: string, start: number, end: number): number {
  let value = 0;
  let octet = -1;
  let octets = 1;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (octet < 0 || octets === 4) return -1;
      value = value * 256 + octet;
      octets++;
      octet = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || octet === 0) return -1;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return -1;
  }
  return octet < 0 || octets !== 4 ? -1 : value * 256 + octet;
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= 57) return code - ZERO;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Reads the colon form (RFC 4291 section 2.2) into `groups`. */
function parseIpv6(text: string): boolean {
  let count = 0;
  let gap = -1;
  let at = 0;
  const end = text.length;
  if (text.startsWith('::')) {
    gap = 0;
    at = 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const groupStart = at;
    let group = 0;
    let digit = 0;
    while (at < end && (digit = hexDigit(text.charCodeAt(at))) >= 0 && at - groupStart < 4) {
      group = group * 16 + digit;
      at++;
    }
    if (at < end && text.charCodeAt(at) === DOT) {
      const ipv4 = parseIpv4(text, groupStart, end);
      if (ipv4 < 0 || count > 6) return false;
      groups[count++] = ipv4 >>> 16;
      groups[count++] = ipv4 & 0xffff;
      at = end;
      break;
    }
    if (at === groupStart) return false;
    groups[count++] = group;
    if (at === end) break;
    if (text.charCodeAt(at) !== COLON) return false;
    at++;
    if (at < end && text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false;
      gap = count;
      at++;
    } else if (at === end) {
      return false;
    }
  }
  if (gap < 0) return count === 8;
  if (count === 8) return false;
  const shift = 8 - count;
  for (let index = count - 1; index >= gap; index--) groups[index + shift] = groups[index]!;
  for (let index = gap; index < gap + shift; index++) groups[index] = 0;
  return true;
}

/**
 * Reads an address into four words. Zone, brackets, port and leading zeros in IPv4 are not part of an address.
 * @returns 0, with the words undefined, when the text is not an address.
 */
export function parseIp(text: string, words: Uint32Array): IpFamily {
  if (!text.includes(':')) {
    const ipv4 = parseIpv4(text, 0, text.length);
    if (ipv4 < 0) return 0;
    words[0] = words[1] = words[2] = 0;
    words[3] = ipv4;
    return 4;
  }
  if (!parseIpv6(text)) return 0;
  for (let word = 0; word < 4; word++) words[word] = groups[word * 2]! * 65_536 + groups[word * 2 + 1]!;
  if (words[0] !== 0 || words[1] !== 0 || words[2] !== 0xffff) return 6;
  words[2] = 0;
  return 4;
}

/** The words as text: dotted decimal, or the canonical form of RFC 5952 section 4. */
function format(words: Uint32Array, family: IpFamily): string {
  if (family === 4) {
    const value = words[3]!;
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const parts: string[] = [];
  for (const word of words) parts.push((word >>> 16).toString(16), (word & 0xffff).toString(16));
  let runStart = 0;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && parts[start + length] === '0') length++;
    if (length > runLength) {
      runStart = start;
      runLength = length;
    }
  }
  if (runLength === 1) return parts.join(':');
  return `${parts.slice(0, runStart).join(':')}::${parts.slice(runStart + runLength).join(':')}`;
}

/**
 * One spelling for each address: RFC 5952 for IPv6, dotted decimal for IPv4 and for IPv4 inside IPv6. A zone
 * (`fe80::1%eth0`) is left out.
 * @returns undefined when the text is not an address.
 */
export function canonicalIp(text: string): string | undefined {
  const zone = text.indexOf('%');
  const address = zone < 0 ? text : text.slice(0, zone);
  const family = parseIp(address, scratch);
  return family === 0 ? undefined : format(scratch, family);
}

/**
 * The address in 4 or 16 bytes of `bytes` at `at`, in network order.
 * @returns it as `canonicalIp` writes it.
 */
export function ipFromBytes(bytes: Buffer, at: number, length: 4 | 16): string {
  if (length === 4) {
    scratch[3] = bytes.readUInt32BE(at);
    return format(scratch, 4);
  }
  for (let word = 0; word < 4; word++) scratch[word] = bytes.readUInt32BE(at + word * 4);
  const mapped = scratch[0] === 0 && scratch[1] === 0 && scratch[2] === 0xffff;
  return format(scratch, mapped ? 4 : 6);
}

/**
 * Writes an address in network order: an IPv4 address into 4 bytes, or into 16 as one inside IPv6.
 * @param ip An address as `canonicalIp` writes it; a zone is left out.
 */
export function ipIntoBytes(ip: string, bytes: Buffer, at: number, length: 4 | 16): void {
  const zone = ip.indexOf('%');
  const family = parseIp(zone < 0 ? ip : ip.slice(0, zone), scratch);
  if (length === 4) {
    bytes.writeUInt32BE(scratch[3]!, at);
    return;
  }
  if (family === 4) scratch[2] = 0xffff;
  for (let word = 0; word < 4; word++) bytes.writeUInt32BE(scratch[word]!, at + word * 4);
}

/**
 * What stands for one client where clients are counted or hashed: the IPv4 address, or the /64 network of an IPv6
 * address, since one customer usually has at least that much.
 * @param ip An address as `canonicalIp` writes it.
 */
export function clientNetwork(ip: string): string {
  if (!ip.includes(':') || parseIp(ip, scratch) !== 6) return ip;
  scratch[2] = 0;
  scratch[3] = 0;
  return format(scratch, 6);
}

/** The address as a node of `Forwarded` (RFC 7239 section 6): IPv6 in brackets and quotes. */
export function forwardedNode(ip: string): string {
  return ip.includes(':') ? `"[${ip}]"` : ip;
}
