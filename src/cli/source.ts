import { resolve } from 'node:path';

import { DEFAULT_FILES, findConfig } from '../config/find.ts';
import type { ConfigIssue } from '../config/issue.ts';
import { loadConfig, type LoadResult } from '../config/load.ts';
import type { Terminal } from './terminal.ts';

/** A configuration and where it came from, as the user would name it. */
export interface Sourced {
  readonly source: string;
  readonly result: LoadResult;
}

/** Loads the file that `-c` names, or the first default file of the directory. */
export async function loadSource(terminal: Terminal, file: string | undefined): Promise<Sourced> {
  const source = file ?? (await findConfig(terminal.directory));
  if (source === undefined)
    return { source: terminal.directory, result: { ok: false, issues: [nothingFound()] } };
  const result = await loadConfig(resolve(terminal.directory, source));
  const named = (issue: ConfigIssue): ConfigIssue => ({ ...issue, file: source });
  return {
    source,
    result: result.ok
      ? { ...result, warnings: result.warnings.map(named) }
      : { ...result, issues: result.issues.map(named) },
  };
}

function nothingFound(): ConfigIssue {
  return {
    code: 'read',
    path: '',
    message: `there is no configuration here (looked for ${DEFAULT_FILES.join(', ')})`,
    hint: 'name one with -c FILE, or run without: pointsman run --listen :8080 --to localhost:3000',
  };
}
