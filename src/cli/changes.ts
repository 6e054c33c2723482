import { Command, Option } from 'commander';

import type { ChangesReport } from '../admin/endpoint-routes.ts';
import type { AdminClient } from './admin-client.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import { counted } from './issues.ts';
import type { Terminal } from './terminal.ts';

interface ChangesOptions extends AdminOptions {
  readonly discard?: true;
  readonly save?: true;
}

const PATH = '/api/v1/changes';

/** `pointsman changes`: what operators changed and no file says. */
export function changesCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('changes')
      .description('list what was changed at run time and is not in the configuration; save or discard it')
      .option('--discard', 'go back to what the configuration says, in every pool')
      .addOption(
        new Option('--save', 'write them into the configuration file, comments are kept').conflicts(
          'discard',
        ),
      ),
  )
    .addHelpText(
      'after',
      `
Exit code: 0 when done, 1 when it cannot be done, 2 when the command line is wrong.

Examples:
  pointsman changes
  pointsman changes --save
  pointsman changes --discard`,
    )
    .action(async (options: ChangesOptions) => {
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { body } = await ask(client, options);
          if (options.json === true) printJson(terminal, body);
          else if (options.save === true) {
            const { saved, file } = body as { readonly saved: number; readonly file: string };
            terminal.out(`${counted(saved, 'change')} written to ${file}\n`);
          } else if (options.discard === true) {
            terminal.out(
              `${counted((body as { readonly discarded: number }).discarded, 'change')} discarded\n`,
            );
          } else terminal.out(changesText(body as ChangesReport));
          return EXIT.ok;
        }),
      );
    });
}

function ask(client: AdminClient, { discard, save }: ChangesOptions): ReturnType<AdminClient['ask']> {
  if (save === true) return client.ask('POST', `${PATH}/save`);
  return client.ask(discard === true ? 'DELETE' : 'GET', PATH);
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
