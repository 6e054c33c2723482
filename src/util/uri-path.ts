/**
 * One spelling for each path, so that what a rule matches is what the endpoint gets and two spellings of one path never
 * meet two rules (RFC 3986 section 6.2.2). What some servers read as something else than what stands there is refused.
 */

/** A path that needs nothing done: legal characters only (RFC 3986 section 3.3), and no empty or dot-led segment. */
const NEEDS_NOTHING = /^(?:\/(?![/.])[!$&-.0-;=@A-Z_a-z~]*)+$/;
/** What a path may be made of on the wire: visible ASCII. The backslash is a separator to some servers, so it is refused. */
const WIRE = /^[!-[\]-~]*$/;
/** Unreserved characters, the only ones that mean the same with and without encoding (RFC 3986 section 2.3). */
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Visible characters that may not stand in a path as they are (RFC 3986 section 3.3). */
const MUST_BE_ENCODED = /["#<>?^`{|}]/g;
const ESCAPE = /%([0-9A-Fa-f]{2})?/g;
/** A dot segment that shows only when parameters are cut off (`..;x`) or an encoded slash is decoded (`..%2Fx`). */
const HIDDEN_DOTS = /(?:^|%2F)\.\.?(?:%2F|;|$)/;

function encode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Decodes what is unreserved and writes all other escapes in upper case; undefined when one is invalid or refused. */
function normaliseEscapes(path: string): string | undefined {
  let refused = false;
  const result = path.replace(ESCAPE, (escape: string, digits: string | undefined) => {
    const byte = digits === undefined ? 0 : Number.parseInt(digits, 16);
    const character = String.fromCharCode(byte);
    if (byte < 32 || byte === 127 || character === '\\') refused = true;
    return UNRESERVED.test(character) && byte < 128 ? character : escape.toUpperCase();
  });
  return refused ? undefined : result.replace(MUST_BE_ENCODED, encode);
}

/** Merges slashes and resolves dot segments (RFC 3986 section 5.2.4); undefined when one is hidden. */
function resolveSegments(path: string): string | undefined {
  const kept: string[] = [];
  let last = '';
  for (const segment of path.split('/')) {
    last = segment;
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else if (segment.includes('.') && HIDDEN_DOTS.test(segment)) return undefined;
    else kept.push(segment);
  }
  const closed = last === '' || last === '.' || last === '..';
  return kept.length === 0 ? '/' : `/${kept.join('/')}${closed ? '/' : ''}`;
}

/**
 * The one spelling of a request target's path: unreserved characters decoded, all other escapes kept in upper case,
 * illegal visible characters encoded, slashes merged, dot segments resolved without ever leaving the root. An encoded
 * slash stays encoded and is no separator; `;` is a character like others. A path that is normalised already is
 * returned as it is, at the cost of reading it.
 * @param path What stands before `?` in the target.
 * @returns undefined when the path cannot be normalised safely: it does not start with `/`, has an invalid escape, a
 * control character or a backslash (raw or encoded), bytes outside ASCII, or a dot segment hidden behind `;` or `%2F`.
 */
export function normalisePath(path: string): string | undefined {
  if (NEEDS_NOTHING.test(path)) return path;
  if (!path.startsWith('/') || !WIRE.test(path)) return undefined;
  const escaped = normaliseEscapes(path);
  return escaped === undefined ? undefined : resolveSegments(escaped);
}
