import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { plugin } from 'bun';

import { defineConfig } from './define-config.ts';
import { kindOf } from './expectation.ts';
import type { ConfigIssue } from './issue.ts';
import { readFailure } from './read-failure.ts';

export type Loaded =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** How long a module may wait for something at its top level. */
const LONGEST_IMPORT_MS = 10_000;

/**
 * Runs a configuration module and takes its default export. Each call runs the file and all that it imports anew, in a
 * module graph of their own; what they opened (timers, connections) is closed again.
 */
export async function loadModule(file: string): Promise<Loaded> {
  const failed = (issue: Omit<ConfigIssue, 'path' | 'file'>): Loaded => ({
    ok: false,
    issues: [{ path: '', file, ...issue }],
  });
  const path = resolve(file);
  try {
    if ((await stat(path)).isDirectory()) return failed({ code: 'read', message: 'this is a directory' });
  } catch (error) {
    return failed({ code: 'read', ...readFailure(error) });
  }
  providePointsman();
  const graph = new Bun.ModuleGraph({ onError: () => undefined });
  let module: unknown;
  try {
    module = await withinTime(graph.import(path));
  } catch (error) {
    const problems = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
    return { ok: false, issues: problems.map((problem) => importIssue(problem, file)) };
  } finally {
    graph.dispose();
  }
  const value = (module as { default?: unknown }).default;
  if (kindOf(value) !== 'map') {
    const message =
      value === undefined ? 'there is no default export' : 'the default export is not an object';
    return failed({ code: 'type', message, hint: 'write export default defineConfig({ ... })' });
  }
  return { ok: true, value };
}

let provided = false;

/** Lets a configuration import `pointsman` wherever it lies, without installing it there. */
function providePointsman(): void {
  if (provided) return;
  provided = true;
  plugin({
    name: 'pointsman',
    setup: (build) => void build.module('pointsman', () => ({ exports: { defineConfig }, loader: 'object' })),
  });
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the module was not ready after ${LONGEST_IMPORT_MS / 1000} seconds`)),
      LONGEST_IMPORT_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error of the compiler has a place of its own; one that the module threw has a message. */
function importIssue(error: unknown, file: string): ConfigIssue {
  const { message, position } = error as {
    message?: unknown;
    position?: { line: number; column: number } | null;
  };
  const place =
    position === undefined || position === null ? {} : { line: position.line, column: position.column };
  return { code: 'syntax', path: '', message: String(message ?? error), file, ...place };
}
