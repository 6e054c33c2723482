/** The rooms of src/ from top to bottom; rooms on one line are siblings. Imports go down, over any distance. */
const STOREYS: readonly (readonly string[])[] = [
  ['main.ts'],
  ['cli'],
  ['supervisor'],
  ['admin', 'telemetry', 'discovery', 'acme', 'health', 'balancer', 'l4', 'l7', 'filters', 'ha'],
  ['connector', 'http'],
  ['net'],
  ['model'],
  ['config'],
  ['util'],
];

/** Names that say nothing about what is inside. */
const REFUSED_ROOMS = new Set(['common', 'helpers', 'core', 'managers', 'services', 'types']);

const DATA_PATH_ROOMS = new Set([
  'health',
  'balancer',
  'l4',
  'l7',
  'filters',
  'connector',
  'http',
  'net',
  'model',
]);
const SOCKET_MODULES = new Set(['node:net', 'node:tls', 'node:dgram']);
const STREAM_MODULES = new Set(['node:http', 'node:https', 'node:http2', 'node:stream']);

/** Of the modules above, what is only a function of an address or a table of words. */
const HARMLESS = new Set(['isIP', 'isIPv4', 'isIPv6', 'STATUS_CODES']);

/** What the model may take from the configuration besides types. */
const MODEL_CONFIG_VALUES = new Set(['formatAddress', 'parseAddress']);

export interface Import {
  /** As written between the quotes. */
  readonly from: string;
  /** Names that exist at run time; `*` when it is not known which. */
  readonly values: readonly string[];
}

/** The code without its comments. Quotes inside regular expressions may hide code behind them, never add any. */
function withoutComments(source: string): string {
  return source.replaceAll(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/.*/g,
    (_all, literal: string | undefined) => literal ?? '',
  );
}

function valueNames(clause: string): string[] {
  if (/^type\s/.test(clause)) return [];
  const braces = /\{([\s\S]*)\}/.exec(clause)?.[1];
  if (braces === undefined) return ['*'];
  const names = braces
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(/\s+as\s+/)[0]!);
  return /^\s*\{/.test(clause) ? names : ['*', ...names];
}

/** Every import and re-export of a source file, `import(...)` included. */
export function importsOf(source: string): Import[] {
  const found: Import[] = [];
  for (const match of source.matchAll(/^\s*(?:import|export)\s+([^'";]*?)\s*from\s*['"]([^'"]+)['"]/gm)) {
    found.push({ from: match[2]!, values: valueNames(match[1]!) });
  }
  for (const match of source.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm))
    found.push({ from: match[1]!, values: ['*'] });
  for (const match of withoutComments(source).matchAll(/\bimport\s*\(\s*['"`]([^'"`]+)['"`]/g)) {
    found.push({ from: match[1]!, values: ['*'] });
  }
  return found;
}

function resolve(file: string, specifier: string): string {
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function storeyOf(room: string): number {
  return STOREYS.findIndex((rooms) => rooms.includes(room));
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

function checkImport(file: string, { from, values }: Import): string | undefined {
  const room = roomOf(file);
  if (!from.startsWith('.')) {
    if (isTest(file) || (values.length > 0 && values.every((name) => HARMLESS.has(name)))) return undefined;
    if (SOCKET_MODULES.has(from) && room !== 'net') return `imports ${from}: only net touches sockets`;
    if (STREAM_MODULES.has(from) && DATA_PATH_ROOMS.has(room)) return `imports ${from} on the data path`;
    return undefined;
  }
  if (!/\.(?:ts|json|html|css|svg)$/.test(from)) return `imports ${from} without its extension`;
  const target = resolve(file, from);
  if (!target.startsWith('src/')) {
    if (isTest(file) && target.startsWith('test/support/')) return undefined;
    return target === 'package.json' || target.startsWith('dashboard/') || target.startsWith('schema/')
      ? undefined
      : `imports ${target}, which is outside src/`;
  }
  if (isTest(target)) return `imports a test, ${target}`;
  const targetRoom = roomOf(target);
  if (targetRoom === room) return undefined;
  if (room === 'main.ts' && targetRoom !== 'cli')
    return `imports ${target}: main.ts starts cli and nothing else`;
  if (storeyOf(targetRoom) <= storeyOf(room)) return `imports ${target}: ${room} is not above ${targetRoom}`;
  if (room === 'model' && targetRoom === 'config' && !isTest(file)) {
    const refused = values.filter((name) => !MODEL_CONFIG_VALUES.has(name));
    if (refused.length > 0)
      return `imports ${refused.join(', ')} of ${target}: the model takes types from config only`;
  }
  return undefined;
}

function checkUse(file: string, source: string): string[] {
  if (isTest(file)) return [];
  const room = roomOf(file);
  const code = withoutComments(source);
  const broken: string[] = [];
  const sockets = /\bBun\.(?:listen|connect|udpSocket)\b/.exec(code)?.[0];
  if (sockets !== undefined && room !== 'net') broken.push(`uses ${sockets}: only net touches sockets`);
  if (DATA_PATH_ROOMS.has(room) && /(?<![.\w])fetch\s*\(/.test(code))
    broken.push('uses fetch on the data path');
  return broken;
}

/**
 * Checks one file of src/ against the import table and the rules about the runtime.
 * `file` is its path from the root of the project, as in `src/net/dial.ts`. Returns what is wrong, in words.
 */
export function violationsOf(file: string, source: string): string[] {
  const room = roomOf(file);
  if (storeyOf(room) < 0) return [`${file}: the house has no room "${room}"`];
  const refused = file.split('/').find((part) => REFUSED_ROOMS.has(part.replace(/\.ts$/, '')));
  return [
    ...(refused === undefined ? [] : [`the name "${refused}" says nothing about what is inside`]),
    ...importsOf(source).flatMap((each) => checkImport(file, each) ?? []),
    ...checkUse(file, source),
  ].map((problem) => `${file}: ${problem}`);
}
