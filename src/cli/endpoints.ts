import { Command } from 'commander';

import type { EndpointReport } from '../admin/pool-report.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { printEndpoint, readPlace } from './change-endpoint.ts';
import { poolPath } from './endpoint-place.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';
import { waitUntilEmpty } from './wait-endpoint.ts';

interface AddOptions extends AdminOptions {
  readonly name?: string;
  readonly weight?: number;
  readonly maxConnections?: number;
  readonly priority?: number;
  readonly state?: string;
}

interface RemoveOptions extends AdminOptions {
  readonly wait?: true;
  readonly force?: true;
  readonly deadline?: string;
}

/** `pointsman endpoints add|remove`: endpoints that come and go while traffic flows. */
export function endpointsCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('endpoints')
    .description('add endpoints to a running instance, and remove them')
    .addCommand(addCommand(terminal, finish))
    .addCommand(removeCommand(terminal, finish));
}

function addCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('add')
      .description('add an endpoint to a pool')
      .argument('<pool>', 'pool that it joins')
      .argument('<address>', 'where it is reached, such as 10.0.0.4:3000')
      .option('--name <name>', 'stable name (default: the address)')
      .option('--weight <n>', 'share of the traffic (default: 1)', Number)
      .option('--max-connections <n>', 'requests in flight at most (default: no limit)', Number)
      .option('--priority <n>', '0 is used first (default: 0)', Number)
      .option('--state <state>', 'enabled, draining or disabled (default: enabled)'),
  )
    .addHelpText(
      'after',
      `
It stays until it is removed, its pool goes, or the configuration names it.
Exit code: 0 when done, 1 when it cannot be done, 2 when the command line is wrong.

Example:
  pointsman endpoints add web 10.0.0.4:3000 --name web4 --weight 2`,
    )
    .action(async (pool: string, address: string, options: AddOptions) => {
      const { name, weight, maxConnections, priority, state } = options;
      const endpoint = { address, name, weight, maxConnections, priority, state };
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { body } = await client.ask('POST', `${poolPath(pool)}/endpoints`, endpoint);
          const report = body as EndpointReport;
          if (options.json === true) printJson(terminal, report);
          else terminal.out(`${pool}/${report.name}: added\n`);
          return EXIT.ok;
        }),
      );
    });
}

function removeCommand(terminal: Terminal, finish: (code: number) => void): Command {
  const command = addAdminOptions(
    new Command('remove')
      .description('drain an endpoint; it leaves its pool when nothing is under way on it')
      .argument('<pool/endpoint>', 'such as web/10.0.0.1:3000')
      .option('--wait', 'return when it has left')
      .option('--deadline <duration>', 'it leaves then at the latest, such as 60s (default: never)')
      .option('--force', 'it leaves at once; requests under way finish, tunnels and sessions are closed'),
  );
  return command
    .addHelpText(
      'after',
      `
Exit code: 0 when done (with --wait: it has left), 1 when it cannot be done, 2 when the command line is
wrong, 3 when something was still under way at the deadline.

Example:
  pointsman endpoints remove web/10.0.0.1:3000 --wait --deadline 60s`,
    )
    .action(async (written: string, options: RemoveOptions) => {
      const place = readPlace(written, options.deadline, command);
      const query = new URLSearchParams();
      if (options.force === true) query.set('force', '1');
      if (options.deadline !== undefined) query.set('deadline', options.deadline);
      const path = query.size === 0 ? place.path : `${place.path}?${query.toString()}`;
      finish(
        await withAdmin(terminal, options, async (client) => {
          const { status, body } = await client.ask('DELETE', path);
          if (status === 202 && options.wait !== true) {
            printEndpoint(terminal, options, place, body as EndpointReport);
            return EXIT.ok;
          }
          const code = status === 202 ? (await waitUntilEmpty(client, place, terminal)).code : EXIT.ok;
          if (options.json === true)
            printJson(terminal, { pool: place.pool, name: place.endpoint, removed: true });
          else terminal.out(`${place.shown}: removed\n`);
          return code;
        }),
      );
    });
}
