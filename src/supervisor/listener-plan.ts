import { formatAddress } from '../config/schema/address.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import { createFilter } from '../filters/registry.ts';
import { ForwardingPolicy } from '../l7/client-forwarding.ts';
import { L7Listener } from '../l7/l7-listener.ts';
import type { L7Pool } from '../l7/l7-pool.ts';
import { compileRoutes, type Router } from '../l7/router.ts';
import { ListenerStats } from '../model/listener-stats.ts';
import { Door } from './door.ts';
import { KeptFilters } from './kept-filters.ts';

/** What a listener is made from besides its configuration. */
export interface ListenerParts {
  readonly pools: ReadonlyMap<string, L7Pool>;
  readonly shared: L7Listener['shared'];
  readonly instance: string;
}

function sameAddress(a: ListenerConfig, b: ListenerConfig): boolean {
  return a.address.host === b.address.host && a.address.port === b.address.port;
}

/** One listener of a configuration: made, opened, then put into force or abandoned. The one in force before is not touched until then. */
export class ListenerPlan {
  readonly config: ListenerConfig;
  readonly served: L7Listener;
  door: Door | undefined = undefined;
  /** Forgotten once it is decided, else every configuration there ever was would be remembered. */
  #known: ListenerPlan | undefined;
  /** Undefined when nothing but the address can have changed. */
  readonly #update: { readonly router: Router<L7Pool>; readonly forwarding: ForwardingPolicy } | undefined;
  #opened = false;

  /**
   * @param known The listener of this name in force.
   * @throws RangeError or SyntaxError on what the check of a configuration refuses.
   */
  constructor(config: ListenerConfig, known: ListenerPlan | undefined, parts: ListenerParts) {
    this.config = config;
    this.#known = known;
    if (known !== undefined && Bun.deepEquals(known.config, config)) {
      this.served = known.served;
      this.#update = undefined;
      return;
    }
    const router = compile(config, known, parts);
    const forwarding = new ForwardingPolicy(config, parts.instance);
    this.#update = { router, forwarding };
    this.served =
      known?.served ?? new L7Listener(config, router, forwarding, new ListenerStats(), parts.shared);
  }

  get name(): string {
    return this.config.name;
  }

  /**
   * Finds its listening socket, or opens one.
   * @param inForce The listeners in force, whose sockets stay open until all is swapped.
   * @throws Error naming the listener when the address cannot be bound.
   */
  async open(inForce: readonly ListenerPlan[]): Promise<void> {
    const { address } = this.config;
    const known = this.#known;
    if (known !== undefined && sameAddress(known.config, this.config)) this.door = known.door;
    else if (address.port !== 0)
      this.door = inForce.find((other) => sameAddress(other.config, this.config))?.door;
    if (this.door !== undefined) return;
    try {
      this.door = await Door.open(address, this.served);
    } catch (error) {
      const holder = inForce.find(({ config }) => config.address.port === address.port && address.port !== 0);
      if (holder === undefined || !(error instanceof Error)) throw error;
      const held = `listener ${holder.name} still has ${formatAddress(holder.config.address)}`;
      throw new Error(`${error.message}; ${held}: go by way of another port`, { cause: error });
    }
    this.#opened = true;
  }

  /** In force from now on. */
  commit(): void {
    if (this.#update !== undefined && this.#known !== undefined)
      this.served.configure(this.config, this.#update.router, this.#update.forwarding);
    this.door?.leadTo(this.served);
    this.#known = undefined;
  }

  /** Nothing comes of it: what was opened is closed again. */
  abandon(): void {
    if (this.#opened) this.door?.stop();
    if (this.#known === undefined) this.served.drain();
  }
}

function compile(
  config: ListenerConfig,
  known: ListenerPlan | undefined,
  { pools, shared }: ListenerParts,
): Router<L7Pool> {
  const filters = known?.served.router.routes.map((route) => route.filters) ?? [];
  const kept = known === undefined ? undefined : new KeptFilters(known.config, filters, config);
  return compileRoutes<L7Pool>(config.routes, {
    pool: (name) => {
      const pool = pools.get(name);
      if (pool === undefined) throw new RangeError(`there is no pool "${name}"`);
      return pool;
    },
    filter: (filter, route) => kept?.take(route, filter) ?? createFilter(filter, { log: shared.log }),
  });
}
