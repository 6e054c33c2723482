import { Command } from 'commander';

import type { ListenerReport } from '../admin/listener-report.ts';
import type { PoolReport } from '../admin/pool-report.ts';
import type { StatusReport } from '../admin/status-report.ts';
import { systemClock } from '../util/clock.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { EXIT } from './exit-code.ts';
import { type ShownCertificate, statusText } from './status-text.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman status`: what a running instance does now. */
export function statusCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return addAdminOptions(
    new Command('status').description(
      'show the pools, endpoints, workers and certificates of a running instance',
    ),
  )
    .addHelpText(
      'after',
      `
IN FLIGHT counts requests, tunnels and sessions; REQ/S (new sessions too), ERRORS and P99 cover the last minute.
Exit code: 0 when it answers, 1 when not, 2 when the command line is wrong.

Examples:
  pointsman status
  pointsman status --admin unix:/run/pointsman.sock --json`,
    )
    .action(async (options: AdminOptions) => {
      finish(
        await withAdmin(terminal, options, async (client) => {
          const [status, pools, listeners] = await Promise.all([
            client.ask('GET', '/api/v1/status'),
            client.ask('GET', '/api/v1/pools'),
            client.ask('GET', '/api/v1/listeners'),
          ]);
          const certificates = certificatesOf((listeners.body as ListenersBody).listeners);
          const { pools: list } = pools.body as { readonly pools: readonly PoolReport[] };
          const report = status.body as StatusReport;
          if (options.json === true) printJson(terminal, { ...report, pools: list, certificates });
          else terminal.out(statusText(report, list, certificates, terminal.outColor));
          return EXIT.ok;
        }),
      );
    });
}

interface ListenersBody {
  readonly listeners: readonly ListenerReport[];
}

/** Those that expire first come first. */
function certificatesOf(listeners: readonly ListenerReport[]): ShownCertificate[] {
  const shown = listeners.flatMap(({ name: listener, tls }) =>
    (tls?.certificates ?? []).map(({ names, kind, notAfter }) => {
      const secondsLeft = Math.floor((Date.parse(notAfter) - systemClock.wallMs()) / 1000);
      return { names, kind, listener, notAfter, secondsLeft };
    }),
  );
  return shown.toSorted((left, right) => left.secondsLeft - right.secondsLeft);
}
