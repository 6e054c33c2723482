/**
 * Escaping for everything that is written to a log. Output is printable ASCII only, so no byte of a client can end a
 * line, forge another, drive a terminal or reorder text (CWE-117); and its length is its size in bytes.
 */
const UNSAFE = /[^\x20-\x7e]|["\\]/;
const UNSAFE_ALL = /[^\x20-\x7e]|["\\]/gu;
const BARE = /^[\w.:/@+,%*-]+$/;

const hex = (code: number, width: number): string => code.toString(16).padStart(width, '0');

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  const code = character.codePointAt(0)!;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  let text = '';
  for (const byte of Buffer.from(character)) text += `\\x${hex(byte, 2)}`;
  return text;
}

function escapeJsonCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  let text = '';
  for (let i = 0; i < character.length; i++) text += `\\u${hex(character.charCodeAt(i), 4)}`;
  return text;
}

/**
 * The inside of a quoted string: `"` and `\` get a backslash, every other character outside printable ASCII becomes
 * `\xNN`, one a byte (characters above U+00FF as UTF-8).
 */
export function escapeText(value: string): string {
  return UNSAFE.test(value) ? value.replace(UNSAFE_ALL, escapeCharacter) : value;
}

/** A value after `key=`: bare when it is a plain word, else in quotes. */
export function logfmtValue(value: string): string {
  return BARE.test(value) ? value : `"${escapeText(value)}"`;
}

/** A JSON string (RFC 8259 section 7) in ASCII. */
export function jsonString(value: string): string {
  return UNSAFE.test(value) ? `"${value.replace(UNSAFE_ALL, escapeJsonCharacter)}"` : `"${value}"`;
}
