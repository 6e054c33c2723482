import { z } from 'zod';

import { expectation, kindOf, kindsOf, optionsOf, type Schema, unwrap, wordsOf } from './expectation.ts';
import { translate, unknownKey } from './explain-issue.ts';
import type { Path, Problem } from './issue.ts';
import { listed } from './suggest.ts';

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
      if ('discriminator' in def && kind === 'map') {
        return explainKind(def as z.core.$ZodDiscriminatedUnionDef, value as object, at, problems);
      }
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
    if (!Object.hasOwn(shape, key)) problems.push(unknownKey(key, shape, entries, at));
  }
  return rest;
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

/** Maps of which one key says of which kind they are, such as the protocol of a listener. */
function explainKind(
  { options, discriminator }: z.core.$ZodDiscriminatedUnionDef,
  value: object,
  at: Path,
  problems: Problem[],
): unknown {
  const written = (value as Readonly<Record<string, unknown>>)[discriminator];
  const kinds = (option: z.core.$ZodType) => [...(option._zod.propValues?.[discriminator] ?? [])];
  const option = options.find((one) => kinds(one).some((kind) => kind === written));
  if (option !== undefined) return explain(option, value, at, problems);
  const words = options.flatMap(kinds).filter((kind) => typeof kind === 'string');
  return explain(z.enum(words), written, [...at, discriminator], problems);
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
  const shape = Object.fromEntries(keys.map((key) => [key, byKey.get(key)!]));
  if (written.length === 0) {
    problems.push({ code: 'missing', at, message: 'is empty', hint: `write one of ${listed(keys)}` });
  }
  for (const key of written) problems.push(unknownKey(key, shape, {}, at));
  return undefined;
}
