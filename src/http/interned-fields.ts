import type { Fields } from '../model/fields.ts';

/** Fields of which more is not kept, bytes. */
export const MAX_KEPT_BYTES = 4096;

const SLOTS = 256;
const slots: (Fields | undefined)[] = Array.from({ length: SLOTS });

/**
 * The same fields as one object, as far as they are remembered: many connections say the same, and what is one object is compared at
 * once.
 * @param fields do not change any more
 */
export function interned(fields: Fields): Fields {
  const { bytes } = fields;
  let hash = fields.count;
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash, 31) + bytes[at]!;
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = slots[slot];
  if (known?.bytes.equals(bytes) === true && known.sameLines(fields)) return known;
  slots[slot] = fields;
  return fields;
}
