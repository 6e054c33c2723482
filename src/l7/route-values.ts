import { type FieldLine, type FieldName, type Fields, fieldName } from '../model/fields.ts';

const COLON = 58;
const BRACKET = 91;
const NO_LINES: readonly FieldLine[] = [];

/** Where the host of an authority ends: before the port, and before a trailing dot of a name. */
export function hostEnd(authority: string): number {
  let end: number;
  if (authority.charCodeAt(0) === BRACKET) {
    end = authority.indexOf(']') + 1;
  } else {
    end = authority.length;
    for (let at = 0; at < authority.length; at++) {
      if (authority.charCodeAt(at) === COLON) {
        end = at;
        break;
      }
    }
  }
  return end > 1 && authority.charCodeAt(end - 1) === 46 ? end - 1 : end;
}

/** The host of an authority, lower case, without port and without trailing dot. */
export function hostOf(authority: string): string {
  return authority.slice(0, hostEnd(authority)).toLowerCase();
}

/** Reads one name or value of a form-encoded query; an invalid escape stays as it stands. */
function decodeQueryPart(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? new URLSearchParams(`v=${text}`).get('v')! : spaced;
}

/** Whether what stands in the query from `start` to `end`, decoded, is `name`. */
function isNamed(query: string, start: number, end: number, name: string): boolean {
  for (let at = start; at < end; at++) {
    const code = query.charCodeAt(at);
    if (code === 37 || code === 43) return decodeQueryPart(query.slice(start, end)) === name;
  }
  return end - start === name.length && query.startsWith(name, start);
}

/**
 * Decoded value of the first parameter of that name in a query (`?a=1&b=2`, or empty), as HTML forms write it (URL
 * Standard, application/x-www-form-urlencoded); a parameter without `=` has the value ''. undefined without one.
 */
export function queryValue(query: string, name: string): string | undefined {
  let at = 1;
  while (at < query.length) {
    const ampersand = query.indexOf('&', at);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf('=', at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (end > at && isNamed(query, at, nameEnd, name)) {
      return nameEnd === end ? '' : decodeQueryPart(query.slice(nameEnd + 1, end));
    }
    at = end + 1;
  }
  return undefined;
}

/** A header name prepared for reading values. */
export interface HeaderName {
  readonly text: string;
  readonly field: FieldName;
}

export function headerName(name: string): HeaderName {
  return { text: name.toLowerCase(), field: fieldName(name) };
}

/** Whether any line of that name, ours included, has a value that passes. */
export function someHeaderValue(
  fields: Fields,
  name: HeaderName,
  passes: (value: string) => boolean,
): boolean {
  for (let line = fields.indexOf(name.field); line >= 0; line = fields.indexOf(name.field, line + 1)) {
    if (passes(fields.value(line))) return true;
  }
  return someLine(fields.added, name, passes) || someLine(fields.block?.lines ?? NO_LINES, name, passes);
}

function someLine(
  lines: readonly FieldLine[],
  name: HeaderName,
  passes: (value: string) => boolean,
): boolean {
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (line.name === name.text && passes(line.value)) return true;
  }
  return false;
}
