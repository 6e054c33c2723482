import type { z } from 'zod';

import { listed } from './suggest.ts';

type Wrapper = z.core.$ZodOptional | z.core.$ZodDefault | z.core.$ZodPrefault;

/** Every kind of schema that the configuration is made of, told apart by `_zod.def.type`. */
export type Schema =
  | z.core.$ZodString
  | z.core.$ZodNumber
  | z.core.$ZodBoolean
  | z.core.$ZodLiteral
  | z.core.$ZodEnum
  | z.core.$ZodArray
  | z.core.$ZodObject
  | z.core.$ZodRecord
  | z.core.$ZodUnion
  | z.core.$ZodPipe
  | z.core.$ZodTransform;

/** What `optional`, `default` or `prefault` wraps; undefined when the schema is none of them. */
export function wrapped(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const { def } = (schema as Wrapper)._zod;
  return 'innerType' in def ? def.innerType : undefined;
}

/** Kinds of values, as a writer of YAML sees them. */
export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'map' | 'nothing';

const KIND_OF_TYPE: Readonly<Record<string, Kind>> = {
  string: 'text',
  number: 'number',
  bigint: 'number',
  boolean: 'boolean',
  object: 'map',
};

/** Kind of a value; undefined for what no file can hold, such as a function. */
export function kindOf(value: unknown): Kind | undefined {
  if (value === null || value === undefined) return 'nothing';
  return Array.isArray(value) ? 'list' : KIND_OF_TYPE[typeof value];
}

/** The schema inside `optional`, `default` and `prefault`. */
export function unwrap(schema: z.core.$ZodType): Schema {
  const inner = wrapped(schema);
  return inner === undefined ? (schema as Schema) : unwrap(inner);
}

/** Kinds that a value must have to come near this schema. */
export function kindsOf(schema: z.core.$ZodType): readonly Kind[] {
  const { def } = unwrap(schema)._zod;
  switch (def.type) {
    case 'string':
      return ['text'];
    case 'number':
      return ['number'];
    case 'boolean':
      return ['boolean'];
    case 'literal':
      return def.values.map((value) => kindOf(value) ?? 'nothing');
    case 'enum':
      return ['text'];
    case 'array':
      return ['list'];
    case 'object':
    case 'record':
      return ['map'];
    case 'union':
      return def.options.flatMap(kindsOf);
    case 'pipe':
      return kindsOf(def.in);
    case 'transform':
      break;
  }
  return [];
}

/** Schemas of a union, unions within it dissolved. */
export function optionsOf(options: readonly z.core.$ZodType[]): Schema[] {
  return options.flatMap((option) => {
    const schema = unwrap(option);
    return schema._zod.def.type === 'union' ? optionsOf(schema._zod.def.options) : [schema];
  });
}

/** Words of an error that the schema itself has for a value of the wrong kind: "expected a duration such as 5s". */
function ownWords(schema: z.core.$ZodType): string | undefined {
  const inner = unwrap(schema)._zod.def;
  if (inner.type === 'pipe') return ownWords(inner.in);
  if (inner.error === undefined) return undefined;
  const said = (inner.error as z.core.$ZodErrorMap)({
    code: 'invalid_type',
    expected: 'string',
    input: undefined,
    path: [],
  });
  const message = typeof said === 'string' ? said : said?.message;
  return message?.startsWith('expected ') === true ? message.slice('expected '.length) : undefined;
}

/** Says in a few words what belongs here: `a list of text`, `"auto" or a whole number`. */
export function expectation(schema: z.core.$ZodType): string {
  const own = ownWords(schema);
  if (own !== undefined) return own;
  const inner = unwrap(schema);
  const { def } = inner._zod;
  switch (def.type) {
    case 'string':
      return 'text';
    case 'number':
      return (inner as z.ZodNumber).isInt ? 'a whole number' : 'a number';
    case 'boolean':
      return 'true or false';
    case 'literal':
      return def.values.map((value) => String(value)).join(' or ');
    case 'enum':
      return choice(Object.values(def.entries).map(String));
    case 'array':
      return 'a list';
    case 'object':
      return mapOf(Object.keys(def.shape));
    case 'record':
      return 'a map of names to values';
    case 'pipe':
      return expectation(def.in);
    case 'union':
      // Of maps of several kinds the usual one is the first.
      return 'discriminator' in def ? expectation(def.options[0]!) : expectationOfAny(optionsOf(def.options));
    case 'transform':
      break;
  }
  return 'another value';
}

/** Several schemas at once: literals in a row, maps put together. */
function expectationOfAny(options: readonly Schema[]): string {
  const parts: string[] = [];
  const words = options.flatMap((option) => wordsOf(option));
  if (words.length > 0) parts.push(choice(words));
  const keys: string[] = [];
  for (const option of options) {
    const { def } = option._zod;
    if (def.type === 'object') keys.push(...Object.keys(def.shape));
    else if (wordsOf(option).length === 0) parts.push(expectation(option));
  }
  const isChoice = options.filter((option) => option._zod.def.type === 'object').length > 1;
  if (keys.length > 0) parts.push(isChoice ? `a map with one of ${listed(keys)}` : mapOf(keys));
  return [...new Set(parts)].join(' or ');
}

/** The values of a schema that has only a few. */
export function wordsOf(schema: z.core.$ZodType): string[] {
  const { def } = unwrap(schema)._zod;
  if (def.type === 'enum') return Object.values(def.entries).map(String);
  return def.type === 'literal' ? def.values.map(String) : [];
}

function mapOf(keys: readonly string[]): string {
  return keys.length === 0
    ? 'an empty map: {}'
    : `a map with the key${keys.length === 1 ? '' : 's'} ${listed(keys)}`;
}

function choice(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `one of ${words.join(', ')}`;
}

/** Shows a value in a message: `"abc"`, `5`, `a list`. */
export function shown(value: unknown): string {
  switch (kindOf(value)) {
    case 'text': {
      const text = value as string;
      return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
    }
    case 'number':
    case 'boolean':
      return String(value);
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    case 'nothing':
      return 'nothing';
    case undefined:
      break;
  }
  return `a ${typeof value}`;
}
