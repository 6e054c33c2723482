/** Below this a loop is faster than a call of the runtime. */
const SHORT_BYTES = 48;

/** Copies `from[start, end)` to `to` from `at`; the two do not overlap. Returns the position behind the copy. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  if (length > SHORT_BYTES) from.copy(to, at, start, end);
  else for (let index = 0; index < length; index++) to[at + index] = from[start + index]!;
  return at + length;
}
