import type { Fields } from '../model/fields.ts';
import { Known } from '../model/known-fields.ts';

/** Fields that mean something before the content only: framing, routing, authentication, content (RFC 9110 section 6.5.1). */
const FORBIDDEN =
  /^(content-.*|authorization|set-cookie|max-forwards|range|if-.*|cache-control|pragma|age|expires|location|retry-after|vary|warning|www-authenticate)$/;

/** Drops trailer fields that must not be there. Returns whether any is left. */
export function dropForbiddenTrailers(trailers: Fields): boolean {
  let left = false;
  for (let index = 0; index < trailers.count; index++) {
    if (trailers.isDropped(index)) continue;
    const forbidden =
      trailers.ids[index] !== Known.Other || FORBIDDEN.test(trailers.name(index).toLowerCase());
    if (forbidden) trailers.drop(index);
    else left = true;
  }
  return left;
}
