import { z } from 'zod';

import { expectation, optionsOf, type Schema, unwrap, wrapped } from './expectation.ts';
import { config } from './schema/config.ts';

/** One key of the configuration, for people. */
export interface Key {
  readonly name: string;
  /** `text`, `whole number, 0 to 256`, `list of map`. */
  readonly type: string;
  /** As JSON; undefined when there is none. */
  readonly default: string | undefined;
  readonly required: boolean;
  readonly description: string;
  /** Heading of the section that says more. */
  readonly section: string | undefined;
}

/** A map of the configuration and its keys. */
export interface Section {
  /** `pools[].healthCheck`; empty for the top. */
  readonly path: string;
  /** `protocol: tcp`: the kind of map that it is about, where there are several and it is not the usual one; else empty. */
  readonly kind: string;
  readonly description: string;
  readonly keys: readonly Key[];
}

/** Everything that can be written in a configuration, read off the schema. */
export function referenceSections(): Section[] {
  const sections: Section[] = [];
  collect(config, { path: '', kind: '' }, 'The top of the file.', { sections, seen: new Map() });
  return sections;
}

/** How a section is called: `listeners[].limits (protocol: tcp)`. */
export function headingOf({ path, kind }: Pick<Section, 'path' | 'kind'>): string {
  return kind === '' ? path : `${path} (${kind})`;
}

/** The path of a section as people write it: `pools.healthCheck`. */
export function plainPath({ path }: Pick<Section, 'path'>): string {
  return path.replaceAll('[]', '');
}

/** The sections at and below `path`, which may be that of a map, a list or one key. */
export function sectionsUnder(sections: readonly Section[], path: string): Section[] {
  const plain = path.replaceAll(/\[\d*\]/g, '');
  return sections.filter((section) => {
    const at = plainPath(section);
    return plain === '' || at === plain || at.startsWith(`${plain}.`);
  });
}

/** The sections of that name, wherever they are: `tls` is `listeners.tls` and `pools.tls`. Upper and lower case are one. */
export function sectionsCalled(sections: readonly Section[], name: string): Section[] {
  const wanted = `.${name}`.toLowerCase();
  return sections.filter((section) => `.${plainPath(section)}`.toLowerCase().endsWith(wanted));
}

/** The keys of that name, wherever they are, each in a section with nothing else. Upper and lower case are one. */
export function keysCalled(sections: readonly Section[], name: string): Section[] {
  const wanted = `.${name}`.toLowerCase();
  return sections.flatMap((section) => {
    const keys = section.keys.filter((key) =>
      `.${plainPath(section)}.${key.name}`.toLowerCase().endsWith(wanted),
    );
    return keys.length === 0 ? [] : [{ ...section, keys }];
  });
}

interface Collected {
  readonly sections: Section[];
  /** Heading of the section that describes each map; one that stands in several places is described once. */
  readonly seen: Map<Schema, string>;
}

type Place = Pick<Section, 'path' | 'kind'>;

function collect(schema: z.core.$ZodType, at: Place, description: string, into: Collected): void {
  const { def } = unwrap(schema)._zod;
  if ('discriminator' in def) {
    const { options, discriminator } = def as z.core.$ZodDiscriminatedUnionDef;
    for (const option of options) {
      const values = [...(option._zod.propValues?.[discriminator] ?? [])];
      const kind = values.includes(undefined) ? at.kind : `${discriminator}: ${String(values[0])}`;
      collect(option, { path: at.path, kind }, description, into);
    }
    return;
  }
  const maps = optionsOf([schema]).filter((option) => option._zod.def.type === 'object');
  if (maps.length === 0) return;
  const keys: Key[] = [];
  const inner: (() => void)[] = [];
  for (const map of maps) {
    if (map._zod.def.type !== 'object') continue;
    for (const [name, value] of Object.entries(map._zod.def.shape)) {
      const below = sectionBelow(value, at.path === '' ? name : `${at.path}.${name}`);
      const earlier = below === undefined ? undefined : into.seen.get(below.schema);
      const place = below === undefined ? undefined : { path: below.path, kind: at.kind };
      const section = earlier ?? (place === undefined ? undefined : headingOf(place));
      const key = { name, ...describe(value, maps.length > 1), section };
      keys.push(key);
      if (below === undefined || place === undefined || earlier !== undefined) continue;
      into.seen.set(below.schema, headingOf(place));
      inner.push(() => collect(below.schema, place, key.description, into));
    }
  }
  into.sections.push({ ...at, description, keys });
  for (const next of inner) next();
}

interface Below {
  readonly schema: Schema;
  readonly path: string;
}

/** The map inside a value, through lists, unions and transforms. */
function sectionBelow(schema: z.core.$ZodType, path: string): Below | undefined {
  for (const option of optionsOf([schema])) {
    const { def } = option._zod;
    if (def.type === 'object' && Object.keys(def.shape).length > 0) return { schema: unwrap(schema), path };
    const below =
      def.type === 'array'
        ? sectionBelow(def.element, `${path}[]`)
        : def.type === 'record'
          ? sectionBelow(def.valueType, `${path}.*`)
          : def.type === 'pipe'
            ? sectionBelow(def.in, path)
            : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

function describe(schema: z.core.$ZodType, oneOfSeveral: boolean): Omit<Key, 'name' | 'section'> {
  const standard = defaultOf(schema);
  const optional = (schema as z.ZodType).safeParse(undefined).success;
  return {
    type: typeName(schema),
    default: written(standard),
    required: !optional && !oneOfSeveral,
    description: descriptionOf(schema) ?? '',
  };
}

/** A default as it would be written in YAML; undefined when there is none, or only those of the keys within. */
function written(standard: unknown): string | undefined {
  if (standard === undefined) return undefined;
  return typeof standard === 'string' && /^[A-Za-z0-9/]/.test(standard) ? standard : JSON.stringify(standard);
}

function defaultOf(schema: z.core.$ZodType): unknown {
  const { def } = (schema as z.core.$ZodDefault | z.core.$ZodPrefault)._zod;
  if ('defaultValue' in def) return def.defaultValue;
  const inner = wrapped(schema);
  return inner === undefined ? undefined : defaultOf(inner);
}

function descriptionOf(schema: z.core.$ZodType): string | undefined {
  const own = z.globalRegistry.get(schema)?.description;
  const inner = wrapped(schema);
  return own ?? (inner === undefined ? undefined : descriptionOf(inner));
}

function typeName(schema: z.core.$ZodType): string {
  const inner = unwrap(schema);
  const title = z.globalRegistry.get(inner)?.title;
  if (title !== undefined) return title;
  const { def } = inner._zod;
  switch (def.type) {
    case 'number':
      return `${(inner as z.ZodNumber).isInt ? 'whole number' : 'number'}${rangeOf(inner as z.ZodNumber)}`;
    case 'object':
      return 'map';
    case 'record':
      return `map of name to ${typeName(def.valueType)}`;
    case 'array':
      return `list of ${typeName(def.element)}`;
    case 'union':
      if (def.error === undefined) {
        return [...new Set(def.options.map(typeName))].join(' or ');
      }
      break;
    case 'pipe':
      if (expectation(inner).includes(' such as ')) break;
      return typeName(def.in);
    case 'enum':
      return Object.values(def.entries).join(', ');
    case 'string':
    case 'boolean':
    case 'literal':
    case 'transform':
      break;
  }
  return expectation(inner)
    .replace(/ such as .*/, '')
    .replace(/^an? /, '');
}

function rangeOf(schema: z.ZodNumber): string {
  const { minValue: least, maxValue: most } = schema;
  const bounded = (value: number | null): value is number =>
    value !== null && Number.isFinite(value) && Math.abs(value) !== Number.MAX_SAFE_INTEGER;
  if (bounded(least) && bounded(most)) return `, ${least} to ${most}`;
  if (bounded(least)) return `, at least ${least}`;
  return bounded(most) ? `, at most ${most}` : '';
}
