import { expect, test } from 'bun:test';

import { parse } from 'yaml';

import { ADVICE, advice } from './advice.ts';
import { jsonSchemaText } from './json-schema.ts';
import { OURS } from './synonyms.ts';

const schema = jsonSchemaText();
const isOurs = (word: string) => schema.includes(`"${word}"`);

/** Keys of a value and of all within. */
function keysOf(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  if (Array.isArray(value)) return value.flatMap(keysOf);
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner).concat(key));
}

test('foreign words lead to words that a configuration has', () => {
  expect(
    Object.values(OURS)
      .flat()
      .filter((word) => !isOurs(word)),
  ).toEqual([]);
});

test('what is advised to write can be written', () => {
  const written = Object.values(ADVICE).flatMap((said) => {
    const text = /\bwrite (?!it\b|a route\b)(.+?)(?:;| in (?:a|the) |, and |$)/.exec(said)?.[1];
    return text === undefined ? [] : [text];
  });
  expect(written.length).toBeGreaterThan(20);
  for (const text of written) {
    const keys = keysOf(parse(text));
    expect([text, keys.length > 0, keys.filter((key) => !isOurs(key))]).toEqual([text, true, []]);
  }
});

test('keys are looked up plain, in their place or anywhere', () => {
  expect(advice('max_fails', 'pools')).toContain('outlierDetection');
  expect(advice('max_fails', 'routes')).toBeUndefined();
  expect(advice('GZIP', 'routes')).toContain('compress');
  expect(advice('constructor', '')).toBeUndefined();
});
