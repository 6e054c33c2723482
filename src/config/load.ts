import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';

import type { Environment } from './check/check.ts';
import type { FileRead } from './check/named-files.ts';
import type { Draft } from './draft.ts';
import { type ConfigIssue, formatPath, type Problem } from './issue.ts';
import { loadModule } from './module-source.ts';
import { readFailure } from './read-failure.ts';
import type { Config } from './schema/config.ts';
import { storageProblem } from './storage-problem.ts';
import { validate } from './validate.ts';
import { parseYaml, type Position, type YamlSource } from './yaml-source.ts';

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigIssue[] }
  | {
      readonly ok: false;
      readonly issues: readonly ConfigIssue[];
      /** What is right of it, where it could be read at all. */
      readonly draft?: Draft<Config>;
    };

/** Beyond this a file is surely not a configuration. */
const MOST_BYTES = 64 * 1024 ** 2;
const MODULES = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']);

/** Whether a configuration of this name is a program rather than a text. */
export function isModule(file: string): boolean {
  return MODULES.has(extname(file));
}

/** Files of certificates and keys are smaller by far. */
const MOST_FILE_BYTES = 16 * 1024 ** 2;

/** The machine, as a configuration in `directory` sees it. */
function machineAt(directory: string): Environment {
  return {
    directoryExists: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    storageProblem,
    readFile: (path) => readNamedFile(resolve(directory, path)),
    nowMs: () => Date.now(),
  };
}

function readNamedFile(path: string): FileRead {
  try {
    const found = statSync(path);
    if (!found.isFile()) return { ok: false, message: 'this is not a file' };
    if (found.size > MOST_FILE_BYTES) return { ok: false, message: 'the file is larger than 16 MiB' };
    return { ok: true, content: readFileSync(path, 'latin1') };
  } catch (error) {
    return { ok: false, ...readFailure(error) };
  }
}

/**
 * Reads and judges a configuration file: a module by its ending (`.ts`, `.js` ...), anything else as YAML, of which JSON is
 * a part. Never throws for what is in the file; lists every problem.
 * @param file path as the user wrote it; it appears so in the issues
 */
export async function loadConfig(file: string): Promise<LoadResult> {
  if (isModule(file)) {
    const loaded = await loadModule(file);
    return loaded.ok ? judge(loaded.value, dirname(file), (problem) => locate(problem, file)) : loaded;
  }
  const read = await readText(file);
  return read.ok
    ? loadYaml(read.text, file)
    : { ok: false, issues: [{ code: 'read', path: '', ...read, file }] };
}

/** Judges the text of a YAML or JSON configuration. */
export function loadYaml(text: string, file: string): LoadResult {
  const source = parseYaml(text);
  if (source.problems.length === 0) {
    return judge(source.value, dirname(file), (problem) =>
      locate(problem, file, positionOf(problem, source)),
    );
  }
  const issues: ConfigIssue[] = [];
  for (const { offset, ...problem } of source.problems) {
    issues.push({ code: 'syntax', path: '', ...problem, file, ...source.position(offset) });
  }
  return { ok: false, issues };
}

/** Judges a configuration that is no file, such as that of the command line. */
export function loadValue(value: unknown): LoadResult {
  return judge(value, '.', (problem) => locate(problem));
}

function judge(value: unknown, directory: string, toIssue: (problem: Problem) => ConfigIssue): LoadResult {
  const result = validate(value, machineAt(directory));
  return result.ok
    ? { ok: true, config: result.config, warnings: sorted(result.warnings.map(toIssue)) }
    : { ok: false, issues: sorted(result.problems.map(toIssue)), draft: result.draft };
}

function positionOf(problem: Problem, source: YamlSource): Position {
  return source.locate(problem.at, problem.on ?? 'value');
}

function locate(problem: Problem, file?: string, position?: Position): ConfigIssue {
  const { at, on: _, ...said } = problem;
  return { ...said, path: formatPath(at), ...(file === undefined ? {} : { file }), ...position };
}

/** In the order of the file; those without a place keep theirs. */
function sorted(issues: ConfigIssue[]): ConfigIssue[] {
  return issues.sort(
    (left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
  );
}

type Read =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

async function readText(file: string): Promise<Read> {
  let bytes: Buffer;
  try {
    const found = await stat(file);
    if (found.isDirectory()) return { ok: false, message: 'this is a directory', hint: 'name a file in it' };
    if (found.isCharacterDevice() || found.isBlockDevice()) return { ok: false, message: 'this is a device' };
    if (found.size > MOST_BYTES) return { ok: false, message: 'the file is larger than 64 MiB' };
    bytes = await readFile(file);
  } catch (error) {
    return { ok: false, ...readFailure(error) };
  }
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { ok: false, message: 'the file is not UTF-8 text' };
  }
}
