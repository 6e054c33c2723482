import { Command } from 'commander';

import type { EndpointReport } from '../admin/pool-report.ts';
import { positiveDuration } from '../config/schema/units.ts';
import type { AdminClient } from './admin-client.ts';
import { addAdminOptions, type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { endpointPlace, type EndpointPlace } from './endpoint-place.ts';
import { stateReason, stateWord } from './endpoint-text.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';
import { waitUntilEmpty, waitUntilOpen } from './wait-endpoint.ts';

interface ChangeOptions extends AdminOptions {
  readonly wait?: true;
  readonly deadline?: string;
}

/** What `drain`, `disable` and `enable` have in common. */
export interface StateCommand {
  readonly name: 'drain' | 'disable' | 'enable';
  readonly state: 'draining' | 'disabled' | 'enabled';
  readonly description: string;
  readonly wait: string;
  /** What --deadline does; undefined: there is none. */
  readonly deadline: string | undefined;
  readonly help: string;
}

/** Says what the endpoint is now. */
export function printEndpoint(
  terminal: Terminal,
  options: AdminOptions,
  place: EndpointPlace,
  report: EndpointReport,
): void {
  if (options.json === true) printJson(terminal, report);
  else terminal.out(`${place.shown}: ${stateWord(report)}, ${stateReason(report)}\n`);
}

/** Reads POOL/ENDPOINT and --deadline; ends the command with 2 when they are wrong. */
export function readPlace(written: string, deadline: string | undefined, command: Command): EndpointPlace {
  const place = endpointPlace(written);
  if (typeof place === 'string') return command.error(`error: ${place}`);
  const judged = positiveDuration.optional().safeParse(deadline);
  if (!judged.success) return command.error(`error: --deadline: ${judged.error.issues[0]?.message}`);
  return place;
}

/** A command that changes the state of one endpoint. */
export function stateCommand(
  kind: StateCommand,
  terminal: Terminal,
  finish: (code: number) => void,
): Command {
  const command = addAdminOptions(
    new Command(kind.name)
      .description(kind.description)
      .argument('<pool/endpoint>', 'such as web/10.0.0.1:3000')
      .option('--wait', kind.wait),
  );
  if (kind.deadline !== undefined) command.option('--deadline <duration>', kind.deadline);
  return command
    .addHelpText('after', `\n${kind.help}`)
    .action(async (written: string, options: ChangeOptions) => {
      const place = readPlace(written, options.deadline, command);
      finish(await withAdmin(terminal, options, (client) => change(kind, client, place, options, terminal)));
    });
}

async function change(
  { state }: StateCommand,
  client: AdminClient,
  place: EndpointPlace,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const { deadline } = options;
  const { body } = await client.ask('PATCH', place.path, {
    state,
    ...(deadline === undefined ? {} : { deadline }),
  });
  const report = body as EndpointReport;
  if (options.wait !== true) {
    printEndpoint(terminal, options, place, report);
    return EXIT.ok;
  }
  const waited =
    state === 'enabled'
      ? await waitUntilOpen(client, place, terminal)
      : await waitUntilEmpty(client, place, terminal);
  if (waited.report !== undefined) printEndpoint(terminal, options, place, waited.report);
  return waited.code;
}
