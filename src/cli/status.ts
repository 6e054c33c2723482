import { Command } from 'commander';

import type { PoolReport } from '../admin/pool-report.ts';
import type { StatusReport } from '../admin/status-report.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import { statusText } from './status-text.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman status`: what a running instance does now. */
export function statusCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('status').description('show the pools, endpoints and workers of a running instance'),
  )
    .addHelpText(
      'after',
      `
IN FLIGHT counts requests, tunnels and sessions; REQ/S (new sessions too) and P99 cover the last minute.
Exit code: 0 when it answers, 1 when not, 2 when the command line is wrong.

Examples:
  pointsman status
  pointsman status --admin unix:/run/pointsman.sock --json`,
    )
    .action(async (options: AdminOptions) => {
      finish(
        await withAdmin(terminal, options, async (client) => {
          const [status, pools] = await Promise.all([
            client.ask('GET', '/api/v1/status'),
            client.ask('GET', '/api/v1/pools'),
          ]);
          const { pools: list } = pools.body as { readonly pools: readonly PoolReport[] };
          const report = status.body as StatusReport;
          if (options.json === true) printJson(terminal, { ...report, pools: list });
          else terminal.out(statusText(report, list, terminal.outColor));
          return EXIT.ok;
        }),
      );
    });
}
