import { Command } from 'commander';

import { parseDurationMs } from '../config/schema/units.ts';
import type { UpgradeResult } from '../model/control.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** Statuses by which an upgrade is refused; the body says why. */
const REFUSED = [409, 501, 502, 503];
/** The answer comes so much later than the new program had to be ready, at most, milliseconds. */
const ANSWER_MS = 5000;

interface UpgradeOptions extends AdminOptions {
  readonly timeout: string;
}

/** `pointsman upgrade`: a running instance is replaced by the program that is on disk now. */
export function upgradeCommand(terminal: Terminal, finish: (code: number) => void): Command {
  const command = new Command('upgrade').description(
    'replace a running instance by the program that is on disk now',
  );
  return addAdminOptions(command)
    .option('--timeout <duration>', 'until when the new program must accept connections', '30s')
    .addHelpText(
      'after',
      `
The new program is started with the same arguments and takes over the listening sockets: nobody is
refused. The old one finishes what it has and ends. When the new one does not get that far, the old
one goes on as if nothing had happened.

Exit code: 0 when the new program carries the traffic, 1 when it does not.

Examples:
  pointsman upgrade
  pointsman upgrade --timeout 1m --json`,
    )
    .action(async (options: UpgradeOptions) => {
      const timeoutMs = parseDurationMs(options.timeout) ?? 0;
      if (timeoutMs <= 0) command.error(`error: --timeout ${options.timeout} is no duration; write 30s`);
      finish(
        await withAdmin(terminal, options, async (client) => {
          const path = `/api/v1/upgrade?timeout=${timeoutMs}ms`;
          const { body } = await client.ask('POST', path, undefined, REFUSED, timeoutMs + ANSWER_MS);
          const result = body as UpgradeResult;
          if (options.json === true) printJson(terminal, result);
          else print(terminal, result);
          return result.outcome === 'upgraded' ? EXIT.ok : EXIT.failure;
        }),
      );
    });
}

function print(terminal: Terminal, result: UpgradeResult): void {
  if (result.outcome === 'upgraded') {
    const { pid, version, revision } = result;
    terminal.out(`process ${pid} has taken over: version ${version}, revision ${revision}\n`);
    return;
  }
  for (const line of result.log) terminal.err(`${line}\n`);
  terminal.err(`error: ${result.message}; the program that was running goes on\n`);
}
