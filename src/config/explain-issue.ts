import { stringify } from 'yaml';
import { z } from 'zod';

import { advice } from './advice.ts';
import { expectation, kindOf, kindsOf, optionsOf, shown, unwrap, wordsOf, wrapped } from './expectation.ts';
import type { Path, Problem } from './issue.ts';
import { closest, listed } from './suggest.ts';
import { ourWord } from './synonyms.ts';

/**
 * A key that is not known.
 * @param shape what may stand there
 * @param entries the map it stands in
 */
export function unknownKey(
  key: string,
  shape: Readonly<Record<string, z.core.$ZodType>>,
  entries: object,
  at: Path,
): Problem {
  const keys = Object.keys(shape);
  const hint = instead(key, shape, entries, at.findLast((part) => typeof part === 'string') ?? '');
  return {
    code: 'unknown-key',
    at: [...at, key],
    on: 'key',
    message: `unknown key ${shown(key)}`,
    hint: hint ?? (keys.length === 0 ? 'nothing may be written here' : `known here: ${listed(keys, 30)}`),
  };
}

function instead(
  key: string,
  shape: Readonly<Record<string, z.core.$ZodType>>,
  entries: object,
  holder: string,
): string | undefined {
  const keys = Object.keys(shape);
  const free = keys.filter((candidate) => !Object.hasOwn(entries, candidate));
  const advised = advice(key, holder);
  if (advised !== undefined) return advised;
  const near = ourWord(key, keys) ?? closest(key, free.length > 0 ? free : keys);
  if (near !== undefined) return `did you mean "${near}"?`;
  const below = Object.entries(shape).flatMap(([name, schema]) => placesBelow(key, name, schema));
  return below.length === 0 ? undefined : `did you mean ${inWords(below)}?`;
}

/** Where a key belongs that was written one level too high: `match.path`, `routes[].pool`. */
function placesBelow(key: string, name: string, schema: z.core.$ZodType): string[] {
  const inner = optionsOf([schema]);
  const list = inner.find(({ _zod: { def } }) => def.type === 'array')?._zod.def;
  const maps = list?.type === 'array' ? optionsOf([list.element]) : inner;
  const has = maps.some(({ _zod: { def } }) => def.type === 'object' && Object.hasOwn(def.shape, key));
  return has ? [`${name}${list === undefined ? '' : '[]'}.${key}`] : [];
}

function inWords(places: readonly string[]): string {
  return places.length === 1 ? places[0]! : `${places.slice(0, -1).join(', ')} or ${places.at(-1)!}`;
}

/** One issue of zod about exactly this value, in our words. */
export function translate(
  issue: z.core.$ZodIssue,
  schema: z.core.$ZodType,
  value: unknown,
  at: Path,
): Problem {
  const place = [...at, ...issue.path.filter((part) => typeof part !== 'symbol')];
  const words = optionsOf([schema]).flatMap(wordsOf);
  const ownError = unwrap(schema)._zod.def.error !== undefined;
  if ((issue.code === 'invalid_value' || issue.code === 'invalid_union') && !ownError) {
    return kindsOf(schema).includes(kindOf(value) ?? 'nothing')
      ? { code: 'value', at: place, ...notOneOf(schema, words, value) }
      : { code: 'type', at: place, ...wrongType(undefined, schema, value) };
  }
  if (issue.code === 'invalid_type') {
    const own = issue.message.startsWith('Invalid input') ? undefined : issue.message;
    return { code: 'type', at: place, ...wrongType(own, schema, value) };
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const most = issue.code === 'too_big';
    const bound = Number(most ? issue.maximum : issue.minimum);
    return { code: 'value', at: place, message: outOfRange(issue.origin, most, bound, value) };
  }
  if (issue.message.startsWith('expected ')) {
    return { code: 'type', at: place, message: `${issue.message}, not ${shown(value)}` };
  }
  return { code: 'value', at: place, message: issue.message };
}

function notOneOf(
  schema: z.core.$ZodType,
  words: readonly string[],
  value: unknown,
): Pick<Problem, 'message' | 'hint'> {
  const near = typeof value === 'string' ? (ourWord(value, words) ?? closest(value, words)) : undefined;
  const expected = `expected ${expectation(schema)}`;
  return near === undefined
    ? { message: `${shown(value)} is not valid here`, hint: expected }
    : { message: `${shown(value)} is not valid here`, hint: `did you mean "${near}"? (${expected})` };
}

function wrongType(
  own: string | undefined,
  schema: z.core.$ZodType,
  value: unknown,
): Pick<Problem, 'message' | 'hint'> {
  const kind = kindOf(value);
  if (own !== undefined && !own.startsWith('expected ')) return { message: own };
  const message = `${own ?? `expected ${expectation(schema)}`}, not ${shown(value)}`;
  const kinds = kindsOf(schema);
  if (takes(schema, 'string') && (kind === 'number' || kind === 'boolean')) {
    return { message, hint: `write it in quotes: "${String(value)}"` };
  }
  if (kinds.includes('number') && typeof value === 'string' && /^\d+$/.test(value)) {
    return { message, hint: 'write it without quotes' };
  }
  if (takes(schema, 'boolean') && typeof value === 'string' && /^(?:yes|no|on|off)$/i.test(value)) {
    return { message, hint: `write ${/^(?:yes|on)$/i.test(value) ? 'true' : 'false'}` };
  }
  if (kinds.includes('list') && kind === 'map') return { message, hint: 'begin each item with "- "' };
  const example = kinds.includes('map') && kind !== 'map' ? exampleOf(schema) : undefined;
  return example === undefined ? { message } : { message, hint: `such as ${example}` };
}

/** The first example of the schema, as it would be written on one line. */
function exampleOf(schema: z.core.$ZodType): string | undefined {
  const [first] = (z.globalRegistry.get(schema)?.['examples'] as readonly unknown[] | undefined) ?? [];
  if (first !== undefined) return stringify(first, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
  const inner = wrapped(schema);
  return inner === undefined ? undefined : exampleOf(inner);
}

/** Whether any value of that type may stand here, not only one of a special form. */
function takes(schema: z.core.$ZodType, type: 'string' | 'boolean'): boolean {
  return optionsOf([schema]).some(({ _zod: { def } }) => def.type === type && def.error === undefined);
}

function outOfRange(origin: string, most: boolean, bound: number, value: unknown): string {
  const limit = most ? 'at most' : 'at least';
  if (origin === 'array') return `needs ${limit} ${bound} item${bound === 1 ? '' : 's'}`;
  if (origin === 'string') {
    return bound === 1 && !most ? 'must not be empty' : `must have ${limit} ${bound} characters`;
  }
  return `must be ${limit} ${bound}, not ${shown(value)}`;
}
