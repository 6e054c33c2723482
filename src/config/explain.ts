import type { z } from 'zod';

import {
  expectation,
  kindOf,
  kindsOf,
  optionsOf,
  type Schema,
  shown,
  unwrap,
  wordsOf,
} from './expectation.ts';
import type { Path, Problem } from './issue.ts';
import { closest, listed } from './suggest.ts';
import { ourWord } from './synonyms.ts';

/**
 * Says everything that is wrong with `value`, in the words of whoever wrote it, and returns the parts that are right:
 * keys that are wrong are left out, items of lists that are wrong are undefined. zod judges; this function only
 * walks down to the smallest part that zod refuses.
 */
export function explain(schema: z.core.$ZodType, value: unknown, at: Path, problems: Problem[]): unknown {
  const result = (schema as z.ZodType).safeParse(value);
  if (result.success) return result.data;
  if (value === undefined || value === null) {
    const missing = value === undefined;
    problems.push({
      code: missing ? 'missing' : 'type',
      at,
      message: missing ? 'is missing' : 'has no value',
      hint: `expected ${expectation(schema)}`,
    });
    return undefined;
  }
  const before = problems.length;
  const rest = descend(unwrap(schema), value, at, problems);
  if (problems.length === before) {
    for (const issue of result.error.issues) problems.push(translate(issue, schema, value, at));
  }
  return rest;
}

function descend(schema: Schema, value: unknown, at: Path, problems: Problem[]): unknown {
  const { def } = schema._zod;
  const kind = kindOf(value);
  switch (def.type) {
    case 'object':
      return kind === 'map' ? explainObject(def.shape, value as object, at, problems) : undefined;
    case 'record':
      return kind === 'map'
        ? explainRecord(def.keyType, def.valueType, value as object, at, problems)
        : undefined;
    case 'array':
      return kind === 'list'
        ? (value as unknown[]).map((item, index) => explain(def.element, item, [...at, index], problems))
        : undefined;
    case 'pipe':
      explain(def.in, value, at, problems);
      return undefined;
    case 'union':
      return def.error === undefined ? explainUnion(optionsOf(def.options), value, at, problems) : undefined;
    case 'string':
    case 'number':
    case 'boolean':
    case 'literal':
    case 'enum':
    case 'transform':
      break;
  }
  return undefined;
}

function explainObject(
  shape: Readonly<Record<string, z.core.$ZodType>>,
  value: object,
  at: Path,
  problems: Problem[],
): unknown {
  const entries = value as Readonly<Record<string, unknown>>;
  const rest: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(shape)) {
    const written = Object.hasOwn(entries, key) ? entries[key] : undefined;
    const right = explain(inner, written, [...at, key], problems);
    if (right !== undefined) rest[key] = right;
  }
  for (const key of Object.keys(entries)) {
    if (!Object.hasOwn(shape, key)) problems.push(unknownKey(key, Object.keys(shape), entries, at));
  }
  return rest;
}

function unknownKey(key: string, keys: readonly string[], entries: object, at: Path): Problem {
  const free = keys.filter((candidate) => !Object.hasOwn(entries, candidate));
  const near = ourWord(key, keys) ?? closest(key, free.length > 0 ? free : keys);
  return {
    code: 'unknown-key',
    at: [...at, key],
    on: 'key',
    message: `unknown key ${shown(key)}`,
    hint:
      near === undefined
        ? keys.length === 0
          ? 'nothing may be written here'
          : `known here: ${listed(keys, 30)}`
        : `did you mean "${near}"?`,
  };
}

function explainRecord(
  keyType: z.core.$ZodType,
  valueType: z.core.$ZodType,
  value: object,
  at: Path,
  problems: Problem[],
): unknown {
  const rest: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const judged = (keyType as z.ZodType).safeParse(key);
    for (const issue of judged.error?.issues ?? []) {
      problems.push({ ...translate(issue, keyType, key, [...at, key]), on: 'key' });
    }
    const right = explain(valueType, item, [...at, key], problems);
    if (judged.success && right !== undefined) {
      Object.defineProperty(rest, key, { value: right, enumerable: true });
    }
  }
  return rest;
}

/** Finds the option that the writer had in mind: the one of the same kind, and among maps the one with the same keys. */
function explainUnion(options: readonly Schema[], value: unknown, at: Path, problems: Problem[]): unknown {
  const kind = kindOf(value);
  const sameKind = options.filter((option) => kind !== undefined && kindsOf(option).includes(kind));
  const [only] = sameKind;
  if (only !== undefined && sameKind.length === 1 && wordsOf(only).length === 0) {
    return explain(only, value, at, problems);
  }
  if (kind === 'map' && sameKind.length > 1) return explainOneKey(sameKind, value as object, at, problems);
  return undefined;
}

/** Maps of which each has a key of its own, such as the filters. */
function explainOneKey(options: readonly Schema[], value: object, at: Path, problems: Problem[]): unknown {
  const byKey = new Map<string, Schema>();
  for (const option of options) {
    const { def } = option._zod;
    if (def.type !== 'object') continue;
    for (const key of Object.keys(def.shape)) byKey.set(key, option);
  }
  const written = Object.keys(value);
  const recognised = written.filter((key) => byKey.has(key));
  const [first] = recognised;
  if (first !== undefined && recognised.length === 1) return explain(byKey.get(first)!, value, at, problems);
  if (first !== undefined) {
    const message = `${recognised.map((key) => `"${key}"`).join(' and ')} cannot stand together`;
    problems.push({ code: 'conflict', at, message, hint: 'keep one of them' });
    return undefined;
  }
  const keys = [...byKey.keys()];
  if (written.length === 0) {
    problems.push({ code: 'missing', at, message: 'is empty', hint: `write one of ${listed(keys)}` });
  }
  for (const key of written) problems.push(unknownKey(key, keys, {}, at));
  return undefined;
}

/** One issue of zod about exactly this value, in our words. */
function translate(issue: z.core.$ZodIssue, schema: z.core.$ZodType, value: unknown, at: Path): Problem {
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
  return { message };
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
