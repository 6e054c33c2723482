import { Command } from 'commander';

import { formatChange } from '../config/diff.ts';
import type { ReloadResult } from '../model/control.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import { counted, printIssues } from './issues.ts';
import type { Terminal } from './terminal.ts';

/** Statuses by which a reload is refused; the body says why. */
const REFUSED = [409, 422, 503];

/** `pointsman reload`: a running instance reads its configuration again. */
export function reloadCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('reload').description('let a running instance read its configuration again'),
  )
    .addHelpText(
      'after',
      `
Nothing is closed that the new configuration does not remove. One that cannot be used is refused
whole, and the one in force stays. "pointsman diff" says beforehand what a change touches.

Exit code: 0 when it is in force, 1 when it was not put into force or nothing answers, 2 when the
configuration is wrong.

Examples:
  pointsman reload
  pointsman reload --admin 127.0.0.1:9900 --json`,
    )
    .action(async (options: AdminOptions) => {
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { body } = await client.ask('POST', '/api/v1/reload', undefined, REFUSED);
          const result = body as ReloadResult;
          if (options.json === true) printJson(terminal, result);
          else print(terminal, result);
          if (result.outcome === 'applied') return EXIT.ok;
          return result.reason === 'config' ? EXIT.usage : EXIT.failure;
        }),
      );
    });
}

function print(terminal: Terminal, result: ReloadResult): void {
  const { revision } = result;
  if (result.outcome === 'refused') {
    printIssues(terminal, result.issues);
    terminal.err(`error: ${result.message}; revision ${revision} stays in force\n`);
    return;
  }
  const { changes, warnings } = result;
  printIssues(terminal, warnings, 'warning');
  for (const change of changes) terminal.out(`${formatChange(change)}\n`);
  const what = changes.length === 0 ? 'nothing to change' : counted(changes.length, 'change');
  terminal.out(`revision ${revision} is in force: ${what}\n`);
}
