import type { AdminConfig } from '../config/schema/admin.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Log } from '../model/ports.ts';
import { MOST_BODY_BYTES } from './body.ts';
import { NetworkGuard, SOCKET_GUARD } from './guard.ts';
import { type AdminHandler, createHandler } from './handler.ts';
import { respondError } from './respond.ts';
import type { AdminState } from './state.ts';
import { clearStaleSocket, withPrivateMode } from './unix-socket.ts';

const IDLE_TIMEOUT_SECONDS = 60;
/** Beyond this the runtime refuses without words; below, the body is read and `readJson` says why. */
const MOST_BYTES_AT_ALL = 16 * MOST_BODY_BYTES;

export interface AdminServer {
  /** Where it listens, `host:port` with the real port. */
  readonly address: string;
  /** The real port. */
  readonly port: number;
  /** Closes the listeners and, when `cut` is set, the connections too; else requests under way are finished. */
  stop(cut: boolean): Promise<void>;
}

/**
 * Starts the admin listeners. Rejects when an address cannot be bound; nothing listens then.
 * It is the runtime's own HTTP server, not our data path: see docs/decisions/admin-on-bun-serve.md.
 */
export async function startAdmin(config: AdminConfig, state: AdminState, log: Log): Promise<AdminServer> {
  const { address, unix } = config;
  const serve = (where: string, place: Place, handler: AdminHandler): Bun.Server<undefined> =>
    bind(where, place, handler, log);
  if (unix !== undefined) await clearStaleSocket(unix);
  const server = serve(
    formatAddress(address),
    // Without `reusePort: false` the runtime would share the port with another process, silently.
    { hostname: address.host, port: address.port, reusePort: false },
    createHandler(new NetworkGuard(config), state),
  );
  const servers = [server];
  if (unix !== undefined) {
    try {
      servers.push(withPrivateMode(() => serve(unix, { unix }, createHandler(SOCKET_GUARD, state))));
    } catch (error) {
      await server.stop(true);
      throw error;
    }
  }
  const port = server.port ?? address.port;
  return {
    address: formatAddress({ host: address.host, port }),
    port,
    stop: async (cut) => {
      await Promise.all(servers.map((one) => one.stop(cut)));
    },
  };
}

type Place =
  | { readonly hostname: string; readonly port: number; readonly reusePort: false }
  | { readonly unix: string };

function bind(where: string, place: Place, handler: AdminHandler, log: Log): Bun.Server<undefined> {
  const common = {
    development: false,
    maxRequestBodySize: MOST_BYTES_AT_ALL,
    fetch: (request: Request, server: Bun.Server<undefined>) =>
      handler(request, server.requestIP(request)?.address ?? 'unix'),
    error: (error: Error) => {
      log.error('admin.internal-error', { error: error.stack ?? error.message });
      return respondError('internal_error', 'A defect of Pointsman; the log has the details.');
    },
  } as const;
  try {
    return 'unix' in place
      ? Bun.serve({ ...place, ...common })
      : Bun.serve({ ...place, ...common, idleTimeout: IDLE_TIMEOUT_SECONDS });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Error(`admin: cannot listen on ${where}: ${code}`, { cause });
  }
}
