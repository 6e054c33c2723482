import { equalBytes, hashOf } from './hpack-hash.ts';
import {
  STATIC_COUNT,
  staticLines,
  staticNameLength,
  staticStart,
  staticValueLength,
} from './hpack-static.ts';

/** Never in a table, where one client could find out by the length of its own requests what another sent (RFC 7541 section 7.1). */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
]);

/** By static index: whether it is a secret, that is never in a table. */
export const staticSecret: Uint8Array = new Uint8Array(STATIC_COUNT + 1);
/** ... how many entries from here on have the same name. */
const sameName = new Uint8Array(STATIC_COUNT + 1);

const STATIC_SLOTS = 256;
/** First static index of a name, by its hash, open addressing. */
const staticSlots = new Uint8Array(STATIC_SLOTS);

function staticName(index: number): string {
  return staticLines.latin1Slice(staticStart[index], staticStart[index]! + staticNameLength[index]!);
}

for (let index = STATIC_COUNT; index > 0; index--) {
  if (SECRET_NAMES.has(staticName(index))) staticSecret[index] = 1;
  sameName[index] =
    index < STATIC_COUNT && staticName(index + 1) === staticName(index) ? sameName[index + 1]! + 1 : 1;
}
for (let index = 1; index <= STATIC_COUNT; index += sameName[index]!) {
  let slot = hashOf(staticLines, staticStart[index]!, staticStart[index]! + staticNameLength[index]!, 0);
  while (staticSlots[slot & (STATIC_SLOTS - 1)] !== 0) slot++;
  staticSlots[slot & (STATIC_SLOTS - 1)] = index;
}

/** First static index of the name in `bytes[0, nameLength)`, whose hash is `nameHash`; 0 when there is none. */
export function findStatic(bytes: Buffer, nameHash: number, nameLength: number): number {
  for (let slot = nameHash; ; slot++) {
    const index = staticSlots[slot & (STATIC_SLOTS - 1)]!;
    if (index === 0) return 0;
    if (
      staticNameLength[index] === nameLength &&
      equalBytes(staticLines, staticStart[index]!, bytes, 0, nameLength)
    )
      return index;
  }
}

/** Static index with the value in `from`, among those with the name of `first`; 0 when there is none. */
export function findStaticValue(
  first: number,
  from: Buffer,
  valueStart: number,
  valueLength: number,
): number {
  const behind = first + sameName[first]!;
  for (let index = first; index < behind; index++) {
    if (staticValueLength[index] !== valueLength) continue;
    const start = staticStart[index]! + staticNameLength[index]! + 2;
    if (equalBytes(staticLines, start, from, valueStart, valueLength)) return index;
  }
  return 0;
}
