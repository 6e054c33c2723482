import { type AdminServer, startAdmin } from '../admin/server.ts';
import type { AdminState } from '../admin/state.ts';
import type { AdminConfig } from '../config/schema/admin.ts';
import type { Log } from '../model/ports.ts';
import type { Inheritance } from './inheritance.ts';

/**
 * Starts the admin interface. Without it traffic flows all the same: only one that was asked for must be there.
 * @throws Error when it cannot be had and is required.
 */
export async function startAdminInterface(
  config: AdminConfig,
  state: AdminState,
  log: Log,
  inheritance: Inheritance | undefined,
): Promise<AdminServer | undefined> {
  const place = placeOf(config, inheritance);
  try {
    return await startAdmin(place, state, log);
  } catch (error) {
    if (place.required) throw error;
    log.warn('admin-unavailable', { reason: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

/** Where it listens: at the same port as before, also where the configuration leaves that to the system. */
function placeOf(config: AdminConfig, inheritance: Inheritance | undefined): AdminConfig {
  const { address } = config;
  const port = address.port === 0 ? (inheritance?.adminPort ?? 0) : address.port;
  return { ...config, address: { ...address, port }, required: config.required && inheritance === undefined };
}
