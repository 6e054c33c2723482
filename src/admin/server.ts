import type { AdminConfig } from '../config/schema/admin.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Log } from '../model/ports.ts';
import { createHandler } from './handler.ts';
import { respondError } from './respond.ts';
import type { AdminState } from './state.ts';

const IDLE_TIMEOUT_SECONDS = 60;
const MAX_BODY_BYTES = 64 * 1024;

export interface AdminServer {
  /** Where it listens, `host:port` with the real port. */
  readonly address: string;
  /** Closes the listener and, when `cut` is set, the connections too; else requests under way are finished. */
  stop(cut: boolean): Promise<void>;
}

/**
 * Starts the admin listener. Throws when the address cannot be bound.
 * It is the runtime's own HTTP server, not our data path: see docs/decisions/admin-on-bun-serve.md.
 */
export function startAdmin(config: AdminConfig, state: AdminState, log: Log): AdminServer {
  const handler = createHandler(config, state);
  const server = bind(
    config,
    (request) => handler(request),
    (error) => {
      log.error('admin.internal-error', { error: error.stack ?? error.message });
      return respondError('internal_error', 'A defect of Pointsman; the log has the details.');
    },
  );
  return {
    address: formatAddress({ host: config.address.host, port: server.port ?? config.address.port }),
    stop: (cut) => server.stop(cut),
  };
}

function bind(
  { address }: AdminConfig,
  fetch: (request: Request) => Response | Promise<Response>,
  error: (error: Error) => Response,
) {
  try {
    return Bun.serve({
      hostname: address.host,
      port: address.port,
      development: false,
      // Without it the runtime would share the port with another process, silently.
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      maxRequestBodySize: MAX_BODY_BYTES,
      fetch,
      error,
    });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Error(`admin: cannot listen on ${formatAddress(address)}: ${code}`, { cause });
  }
}
