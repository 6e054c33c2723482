import type { Command } from 'commander';

import { findConfig } from '../config/find.ts';
import { formatAddress } from '../config/schema/address.ts';
import { AdminClient, AdminError, type AdminPlace, adminPlace, reachableHost } from './admin-client.ts';
import { EXIT } from './exit-code.ts';
import { loadSource } from './source.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_PLACE = '127.0.0.1:9900';

/** Options of every command that talks to a running instance. */
export interface AdminOptions {
  readonly admin?: string;
  readonly token?: string;
  readonly config?: string;
  readonly json?: true;
}

export function addAdminOptions(command: Command): Command {
  return command
    .option('--admin <place>', `admin interface: host:port, URL or unix:/path (default: ${DEFAULT_PLACE})`)
    .option('--token <token>', 'token for it (default: $POINTSMAN_TOKEN, then that of the configuration)')
    .option(
      '-c, --config <file>',
      'configuration to take place and token from (default: pointsman.yaml and others)',
    )
    .option('--json', 'print the result as JSON');
}

/** What the configuration says of the admin interface. */
interface Configured {
  readonly place?: string;
  /** The file that switches it off. */
  readonly offIn?: string;
  /** The file that was found and does not say. */
  readonly unusable?: string;
  readonly token?: string;
}

async function configured(terminal: Terminal, file: string | undefined): Promise<Configured> {
  const found = file ?? (await findConfig(terminal.directory));
  if (found === undefined) return {};
  const { source, result } = await loadSource(terminal, found);
  // Whoever is about to mend a file asks what runs, too: what it says of the admin interface may be right all the same.
  const admin = result.ok ? result.config.admin : result.draft?.admin;
  if (admin === false) return { offIn: source };
  const { host, port } = admin?.address ?? {};
  if (admin === undefined || host === undefined || port === undefined) {
    // Only a file that was named must be right: another may lie here by chance.
    if (file === undefined) return { unusable: source };
    throw new AdminError(`${source} cannot be used; pointsman check says why`);
  }
  const place =
    admin.unix === undefined ? formatAddress({ host: reachableHost(host), port }) : `unix:${admin.unix}`;
  return { place, ...(admin.token === undefined ? {} : { token: admin.token }) };
}

async function connect(terminal: Terminal, options: AdminOptions): Promise<AdminClient> {
  const environmentToken = terminal.environment?.['POINTSMAN_TOKEN'];
  const token = options.token ?? (environmentToken === '' ? undefined : environmentToken);
  const known: Configured =
    options.admin !== undefined && token !== undefined ? {} : await configured(terminal, options.config);
  if (options.admin === undefined && known.offIn !== undefined) {
    throw new AdminError(`${known.offIn} switches the admin interface off; --admin names another`);
  }
  if (options.admin === undefined && known.unusable !== undefined) {
    terminal.err(
      `warning: ${known.unusable} cannot be used (pointsman check says why), so the admin interface is sought at ${DEFAULT_PLACE}\n`,
    );
  }
  const written = options.admin ?? known.place ?? DEFAULT_PLACE;
  const place: AdminPlace | undefined = adminPlace(written);
  if (place === undefined) {
    throw new AdminError(`${JSON.stringify(written)} is not a place; write host:port, a URL or unix:/path`);
  }
  return new AdminClient(place, token ?? known.token);
}

/** Runs what a command does with a running instance, and says what went wrong. */
export async function withAdmin(
  terminal: Terminal,
  options: AdminOptions,
  run: (client: AdminClient) => Promise<number>,
): Promise<number> {
  try {
    return await run(await connect(terminal, options));
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    terminal.err(`error: ${error.message}\n`);
    return EXIT.failure;
  }
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, undefined, 2)}\n`);
}
