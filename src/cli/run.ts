import { resolve } from 'node:path';

import { Command } from 'commander';

import { formatIssue } from '../config/issue.ts';
import { configFromFlags } from '../config/flags.ts';
import { POLICY_NAMES } from '../config/schema/pool.ts';
import { EXIT } from './exit-code.ts';
import { counted, printIssues } from './issues.ts';
import { loadSource, type Sourced } from './source.ts';
import type { Terminal } from './terminal.ts';

interface RunOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly to?: readonly string[];
  readonly policy?: string;
  readonly admin?: string;
}

/** `pointsman run`: balances until it is told to stop. */
export function runCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('run')
    .description('balance, until SIGTERM or SIGINT')
    .option(
      '-c, --config <file>',
      'configuration: YAML, JSON or TypeScript (default: pointsman.yaml and others)',
    )
    .option('--listen <address>', 'without a file: where to listen, such as :8080')
    .option(
      '--to <addresses>',
      'without a file: endpoints, such as localhost:3000,localhost:3001 (may be repeated)',
      (value: string, before?: readonly string[]) => [...(before ?? []), value],
    )
    .option('--policy <name>', `without a file: ${POLICY_NAMES.join(', ')}`)
    .option('--admin <address>', 'without a file: where the admin interface listens, or "off"')
    .addHelpText(
      'after',
      `
Exit code: 0 after a stop, 1 when it cannot run (a port in use), 2 when the configuration is wrong.

Examples:
  pointsman run
  pointsman run -c /etc/pointsman/pointsman.yaml
  pointsman run --listen :8080 --to localhost:3000,localhost:3001`,
    )
    .action(async (options: RunOptions, command: Command) => {
      const { Predecessor } = await import('../supervisor/predecessor.ts');
      const predecessor = Predecessor.meet(process.env);
      const { source, result, fromFile } = await sourceOf(terminal, options, command);
      if (!result.ok) {
        await predecessor?.fail([
          'the configuration is wrong',
          ...result.issues.map((issue) => formatIssue(issue)),
        ]);
        printIssues(terminal, result.issues);
        terminal.err(`${source}: ${counted(result.issues.length, 'problem')}; nothing was started\n`);
        return finish(EXIT.usage);
      }
      printIssues(terminal, result.warnings, 'warning');
      const file = fromFile
        ? {
            path: resolve(terminal.directory, source),
            load: async () => (await loadSource(terminal, source)).result,
          }
        : undefined;
      // Loaded only here, so that the other commands start fast.
      const { runSupervisor } = await import('../supervisor/run.ts');
      finish(await runSupervisor(result.config, { source, file, predecessor }));
    });
}

interface RunSource extends Sourced {
  /** It can be read again. */
  readonly fromFile: boolean;
}

async function sourceOf(terminal: Terminal, options: RunOptions, command: Command): Promise<RunSource> {
  const { config, listen, to, policy, admin } = options;
  const flag = ['listen', 'to', 'policy', 'admin'].find((name) => command.getOptionValue(name) !== undefined);
  if (flag === undefined) return { ...(await loadSource(terminal, config)), fromFile: true };
  if (config !== undefined)
    command.error(`error: --${flag} and --config exclude each other; write it in the file`);
  if (to === undefined) command.error('error: --to is missing, such as --to localhost:3000,localhost:3001');
  if (listen === undefined) command.error('error: --listen is missing, such as --listen :8080');
  return {
    source: 'command line',
    result: configFromFlags({ listen, to, policy, admin }),
    fromFile: false,
  };
}
