/** 31 bits at `at`, big-endian; the highest bit is reserved and left out (RFC 9113 section 4.1). */
export function uint31(bytes: Buffer, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** 32 bits at `at`, big-endian. */
export function uint32(bytes: Buffer, at: number): number {
  return uint31(bytes, at) + (bytes[at]! >= 0x80 ? 0x8000_0000 : 0);
}
