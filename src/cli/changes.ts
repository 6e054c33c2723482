import { Command } from 'commander';

import type { ChangesReport } from '../admin/endpoint-routes.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import { counted } from './issues.ts';
import type { Terminal } from './terminal.ts';

interface ChangesOptions extends AdminOptions {
  readonly discard?: true;
}

const PATH = '/api/v1/changes';

/** `pointsman changes`: what operators changed and no file says. */
export function changesCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('changes')
      .description('list what was changed at run time and is not in the configuration')
      .option('--discard', 'go back to what the configuration says, in every pool'),
  )
    .addHelpText(
      'after',
      `
Exit code: 0 when done, 1 when it cannot be done, 2 when the command line is wrong.

Examples:
  pointsman changes
  pointsman changes --discard`,
    )
    .action(async (options: ChangesOptions) => {
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { body } = await client.ask(options.discard === true ? 'DELETE' : 'GET', PATH);
          if (options.json === true) printJson(terminal, body);
          else if (options.discard === true) {
            terminal.out(
              `${counted((body as { readonly discarded: number }).discarded, 'change')} discarded\n`,
            );
          } else terminal.out(changesText(body as ChangesReport));
          return EXIT.ok;
        }),
      );
    });
}

function changesText({ changes }: ChangesReport): string {
  if (changes.length === 0) return 'everything is as the configuration says\n';
  return changes
    .map(({ pool, endpoint, kind, value, file, by, since }) => {
      const what = kind === 'state' || kind === 'weight' ? `${kind} ${value}` : kind;
      const instead = file === null ? '' : ` (configuration: ${file})`;
      return `${pool}/${endpoint}: ${what}${instead}, by ${by}, since ${since}\n`;
    })
    .join('');
}
