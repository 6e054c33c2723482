import { type AdminServer, startAdmin } from '../admin/server.ts';
import type { AdminState } from '../admin/state.ts';
import type { AdminConfig } from '../config/schema/admin.ts';
import type { Log } from '../model/ports.ts';
import type { Inheritance } from './inheritance.ts';

/** The admin interface, if the configuration has one. Without it traffic flows all the same: only one that was asked for must be there. */
export class AdminInterface {
  readonly #state: AdminState;
  readonly #log: Log;
  #server: AdminServer | undefined = undefined;

  constructor(state: AdminState, log: Log) {
    this.#state = state;
    this.#log = log;
  }

  /**
   * @param config False: there is to be none.
   * @throws Error when it cannot be had and is required.
   */
  async start(config: AdminConfig | false, inheritance: Inheritance | undefined): Promise<void> {
    if (config === false) return;
    const place = placeOf(config, inheritance);
    try {
      this.#server = await startAdmin(place, this.#state, this.#log);
    } catch (error) {
      if (place.required) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn('admin-unavailable', { reason });
    }
  }

  /** Where it listens, `host:port` with the real port; undefined when it does not. */
  get address(): string | undefined {
    return this.#server?.address;
  }

  /** The real port; undefined when it does not listen. */
  get port(): number | undefined {
    return this.#server?.port;
  }

  /** Its address is free at once; requests under way are finished, unless `cut` is set. */
  async stop(cut: boolean): Promise<void> {
    await this.#server?.stop(cut);
  }
}

/** Where it listens: at the same port as before, also where the configuration leaves that to the system. */
function placeOf(config: AdminConfig, inheritance: Inheritance | undefined): AdminConfig {
  const { address } = config;
  const port = address.port === 0 ? (inheritance?.adminPort ?? 0) : address.port;
  return { ...config, address: { ...address, port }, required: config.required && inheritance === undefined };
}
