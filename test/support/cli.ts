import { runCommandLine } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process. */
export async function cli(words: readonly string[], options: Partial<Terminal> = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    // Nothing lies here that could be taken for a configuration.
    directory: '/',
    outColor: false,
    errColor: false,
    ...options,
  };
  return { code: await runCommandLine(words, terminal), out, err };
}
