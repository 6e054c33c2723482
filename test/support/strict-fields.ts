/** The grammar of lines and fields for `strict-http.ts`: one spelling, and an exception for every other. */

export type Field = readonly [name: string, value: string];

/** Every value of a field, in order. */
export function valuesOf(message: { readonly fields: readonly Field[] }, name: string): string[] {
  return message.fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** The value of a field, several lines joined as RFC 9110 section 5.2 says; undefined when there is none. */
export function valueOf(message: { readonly fields: readonly Field[] }, name: string): string | undefined {
  const values = valuesOf(message, name);
  return values.length === 0 ? undefined : values.join(', ');
}

export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\x20\x09\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const MAX_HEAD_BYTES = 256 * 1024;

/** Why the bytes are not what they should be. */
export class Violation extends Error {}

export function check(holds: boolean, reason: string): void {
  if (!holds) throw new Violation(reason);
}

interface Lines {
  readonly lines: readonly string[];
  /** Offset behind the empty line. */
  readonly end: number;
}

/** Lines up to the empty one; undefined when it has not come yet. Every line must end in CRLF, and hold no other CR or LF. */
export function readLines(bytes: Buffer, start: number, what: string): Lines | undefined {
  const lines: string[] = [];
  let from = start;
  for (;;) {
    const feed = bytes.indexOf(10, from);
    const searched = bytes.subarray(from, feed < 0 ? bytes.length : feed).toString('latin1');
    check(!searched.slice(0, -1).includes('\r'), `${what}: bare CR`);
    check(!searched.includes('\0'), `${what}: NUL`);
    check(from - start < MAX_HEAD_BYTES, `${what}: endless`);
    if (feed < 0) return undefined;
    check(searched.endsWith('\r'), `${what}: bare LF`);
    const line = searched.slice(0, -1);
    from = feed + 1;
    if (line === '') return { lines, end: from };
    lines.push(line);
  }
}

export function readField(line: string): Field {
  check(!/^[ \t]/.test(line), `folded line ${JSON.stringify(line)}`);
  const colon = line.indexOf(':');
  check(colon > 0, `line without a name ${JSON.stringify(line)}`);
  const name = line.slice(0, colon);
  check(TOKEN.test(name), `bad field name ${JSON.stringify(name)}`);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  check(FIELD_VALUE.test(value), `bad field value ${JSON.stringify(value)}`);
  return [name, value];
}

export function lengthAndCoding(fields: readonly Field[]): {
  readonly length: number;
  readonly chunked: boolean;
} {
  const codings = valuesOf({ fields }, 'transfer-encoding');
  const lengths = valuesOf({ fields }, 'content-length');
  check(codings.length <= 1, 'several Transfer-Encoding lines');
  check(codings.length === 0 || codings[0] === 'chunked', `Transfer-Encoding: ${codings[0]}`);
  check(lengths.length <= 1, 'several Content-Length lines');
  check(codings.length === 0 || lengths.length === 0, 'both Transfer-Encoding and Content-Length');
  const text = lengths[0];
  if (text === undefined) return { length: -1, chunked: codings.length === 1 };
  check(/^\d{1,15}$/.test(text), `Content-Length: ${text}`);
  return { length: Number(text), chunked: false };
}
