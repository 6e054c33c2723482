import { Command } from 'commander';

import { httpRoutes } from '../config/pool-references.ts';
import type { Config } from '../config/schema/config.ts';
import { tlsProblems } from '../supervisor/prove-tls.ts';
import { EXIT } from './exit-code.ts';
import { counted, printIssues } from './issues.ts';
import { loadSource, type Sourced } from './source.ts';
import { styled, type Terminal } from './terminal.ts';

interface CheckOptions {
  readonly config?: string;
  readonly json?: true;
}

/** `pointsman check`: says everything that is wrong with a configuration and starts nothing. */
export function checkCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('check')
    .description('check a configuration and start nothing')
    .option(
      '-c, --config <file>',
      'configuration: YAML, JSON or TypeScript (default: pointsman.yaml and others)',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Exit code: 0 when it can be used, 2 when not. Warnings do not count.

Examples:
  pointsman check
  pointsman check -c /etc/pointsman/pointsman.yaml --json`,
    )
    .action(async (options: CheckOptions) => {
      const { source, result } = withTlsProved(await loadSource(terminal, options.config));
      finish(result.ok ? EXIT.ok : EXIT.usage);
      if (options.json === true) {
        const issues = { errors: result.ok ? [] : result.issues, warnings: result.ok ? result.warnings : [] };
        terminal.out(`${JSON.stringify({ ok: result.ok, source, ...issues }, undefined, 2)}\n`);
      } else if (result.ok) {
        printIssues(terminal, result.warnings, 'warning');
        terminal.out(`${source}: ${styled('green', 'ok', terminal.outColor)}: ${summary(result.config)}\n`);
      } else {
        printIssues(terminal, result.issues);
        terminal.err(`${source}: ${counted(result.issues.length, 'problem')}\n`);
      }
    });
}

/** What only the TLS library itself can tell of a configuration that is right otherwise. */
function withTlsProved({ source, result }: Sourced): Sourced {
  const problems = result.ok ? tlsProblems(result.config) : [];
  if (problems.length === 0) return { source, result };
  const issues = problems.map((message) => ({ code: 'value', path: '', message, file: source }) as const);
  return { source, result: { ok: false, issues } };
}

function summary(config: Config): string {
  const routes = config.listeners.reduce((sum, listener) => sum + httpRoutes(listener).length, 0);
  const endpoints = config.pools.reduce((sum, pool) => sum + pool.endpoints.length, 0);
  return [
    counted(config.listeners.length, 'listener'),
    counted(routes, 'route'),
    counted(config.pools.length, 'pool'),
    counted(endpoints, 'endpoint'),
  ].join(', ');
}
