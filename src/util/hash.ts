/** One round of the 4-byte body of MurmurHash3 (x86, 32 bit). */
function round(hash: number, block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  const turned = hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

/** The last 1 to 3 bytes of MurmurHash3, little-endian in `rest`. */
function tail(hash: number, rest: number): number {
  const mixed = Math.imul(rest, 0xcc9e2d51);
  return hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/**
 * Spreads every bit of a 32-bit number over all others: the finaliser of MurmurHash3. A bijection, so two different
 * numbers stay different. Returns an unsigned number.
 */
export function mix32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** MurmurHash3 (Appleby, x86, 32 bit) of bytes; an unsigned 32-bit number. Not for secrets: keys can be made to collide. */
export function hashBytes(bytes: Uint8Array, seed = 0): number {
  const length = bytes.length;
  const whole = length & ~3;
  let hash = seed | 0;
  let at = 0;
  for (; at < whole; at += 4) {
    const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = round(hash, block);
  }
  let rest = 0;
  for (let shift = 0; at < length; at++, shift += 8) rest |= bytes[at]! << shift;
  if (whole < length) hash = tail(hash, rest);
  return mix32(hash ^ length);
}

const encoder = new TextEncoder();

/** The same hash of a string's UTF-8 bytes. ASCII, which is nearly every key, is read in place without a copy. */
export function hashString(text: string, seed = 0): number {
  const length = text.length;
  const whole = length & ~3;
  let hash = seed | 0;
  let seen = 0;
  let at = 0;
  for (; at < whole; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    seen |= a | b | c | d;
    hash = round(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let rest = 0;
  for (let shift = 0; at < length; at++, shift += 8) {
    const code = text.charCodeAt(at);
    seen |= code;
    rest |= code << shift;
  }
  if (seen > 0x7f) return hashBytes(encoder.encode(text), seed);
  if (whole < length) hash = tail(hash, rest);
  return mix32(hash ^ length);
}
