const QUOTE = 34;
const COLON = 58;
const BACKSLASH = 92;
const OPENING_BRACKET = 91;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;
/** Fewer than YAML may have: what is nested more deeply is left to its reader. */
const MOST_LEVELS = 100;

/**
 * The value of a text that is a map in JSON, and means the same in YAML; undefined for everything else, such as a map that has a key
 * twice, which is an error in YAML. The reader of YAML takes a second for ten thousand routes, this one some milliseconds.
 */
export function readJson(text: string): object | undefined {
  const keys = writtenKeys(text);
  if (keys < 0) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return keptKeys(value) === keys ? value : undefined;
  } catch {
    return undefined;
  }
}

/** How many keys are written in a text, if it is JSON; -1 when it cannot be a map, or is nested too deeply. */
function writtenKeys(text: string): number {
  if (!/^\s*\{/.test(text)) return -1;
  let keys = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COLON) keys++;
    else if (code === CLOSING_BRACKET || code === CLOSING_BRACE) depth--;
    else if ((code === OPENING_BRACKET || code === OPENING_BRACE) && ++depth > MOST_LEVELS) return -1;
  }
  return keys;
}

/** Where the string that begins at `start` has its closing quote, or the text its end. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    at += code === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** How many keys there are. Of one that is written twice in a map JSON keeps the last. */
function keptKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const parts: readonly unknown[] = Object.values(value);
  let keys = Array.isArray(value) ? 0 : parts.length;
  for (const part of parts) keys += keptKeys(part);
  return keys;
}
