import { Command } from 'commander';

import type { EndpointReport } from '../admin/pool-report.ts';
import { endpointWeight } from '../config/schema/pool.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { readPlace } from './change-endpoint.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman weight`: another share of the traffic for an endpoint. */
export function weightCommand(terminal: Terminal, finish: (code: number) => void): Command {
  const command = addAdminOptions(
    new Command('weight')
      .description('change the share of the traffic that an endpoint gets')
      .argument('<pool/endpoint>', 'such as web/10.0.0.1:3000')
      .argument('<weight>', '0 to 256; 0 takes bound (sticky) sessions only'),
  );
  return command
    .addHelpText(
      'after',
      `
Exit code: 0 when done, 1 when it cannot be done, 2 when the command line is wrong.

Example:
  pointsman weight web/10.0.0.1:3000 5`,
    )
    .action(async (written: string, weightText: string, options: AdminOptions) => {
      const place = readPlace(written, undefined, command);
      const weight = /^\d+$/.test(weightText) ? Number(weightText) : Number.NaN;
      if (!endpointWeight.safeParse(weight).success)
        command.error(`error: ${JSON.stringify(weightText)} is not a weight; it is 0 to 256`);
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { body } = await client.ask('PATCH', place.path, { weight });
          const report = body as EndpointReport;
          if (options.json === true) printJson(terminal, report);
          else terminal.out(`${place.shown}: weight ${report.weight}\n`);
          return EXIT.ok;
        }),
      );
    });
}
