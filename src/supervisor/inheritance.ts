import type { Endpoint, HealthState } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { formatAddress } from '../config/address.ts';
import type { SavedOverlay } from './runtime-overlay.ts';

/** Grows when what is handed over is no longer understood by those before. 2: the standard error is handed over, too. */
export const INHERITANCE_FORMAT = 2;
/** The first that is still understood. */
export const OLDEST_FORMAT = 1;
/** The first with the standard error. */
export const FORMAT_WITH_STANDARD_ERROR = 2;

/** What was found out about one endpoint. Times are lengths: clocks of two processes begin at different moments. */
interface SurvivingEndpoint {
  readonly pool: string;
  readonly name: string;
  readonly address: string;
  readonly health: HealthState;
  readonly healthReason: string;
  readonly healthForMs: number;
  /** 0 when it is not ejected. */
  readonly ejectedForMs: number;
  readonly ejectReason: string;
  readonly ejections: number;
  /** In slow start for so long; -1 when it is warm. */
  readonly warmingForMs: number;
}

/** An endpoint that an operator takes out. */
export interface SurvivingDrain {
  readonly pool: string;
  readonly name: string;
  readonly sinceMs: number;
  /** Until its deadline; null without one. */
  readonly leftMs: number | null;
  readonly leaves: boolean;
}

/** Everything that the next Pointsman goes on with, besides the sockets. Plain JSON: another version may read it. */
export interface Inheritance {
  readonly format: number;
  /** Who the descriptors belong to, in the order of their numbers. */
  readonly sockets: readonly { readonly listener: string }[];
  readonly revision: number;
  /** Of the changes at run time. */
  readonly changes: number;
  readonly overlay: SavedOverlay;
  readonly drains: readonly SurvivingDrain[];
  readonly endpoints: readonly SurvivingEndpoint[];
  /** Keys of session tickets by listener, base64; the first seals. */
  readonly ticketKeys: Readonly<Record<string, readonly string[]>>;
  /** Where the admin interface listened, for a configuration that leaves the port to the system. */
  readonly adminPort: number | undefined;
}

/** What is known of all endpoints now. */
export function survivors(pools: readonly Pool[], nowMs: number): SurvivingEndpoint[] {
  return pools.flatMap((pool) =>
    pool.view.all.map((endpoint) => ({
      pool: pool.name,
      name: endpoint.name,
      address: formatAddress(endpoint.config.address),
      health: endpoint.health,
      healthReason: endpoint.healthReason,
      healthForMs: nowMs - endpoint.healthSinceMs,
      ejectedForMs: Math.max(0, endpoint.ejectedUntilMs - nowMs),
      ejectReason: endpoint.ejectReason,
      ejections: endpoint.ejections,
      warmingForMs: endpoint.warmingSinceMs < 0 ? -1 : nowMs - endpoint.warmingSinceMs,
    })),
  );
}

/** Gives a new pool what was known of its endpoints: of those with the same name and address. It is still to be published. */
export function revive(pool: Pool, known: readonly SurvivingEndpoint[], nowMs: number): void {
  const { healthCheck, outlierDetection } = pool.config;
  for (const endpoint of pool.view.all) {
    const before = known.find((one) => one.pool === pool.name && isSame(one, endpoint));
    if (before === undefined) continue;
    // What is not checked any more, nobody would ever find to be different.
    if (healthCheck !== undefined && before.health !== 'unknown') {
      endpoint.health = before.health;
      endpoint.healthReason = before.healthReason;
      endpoint.healthSinceMs = nowMs - before.healthForMs;
    }
    if (outlierDetection !== false) {
      endpoint.ejections = before.ejections;
      endpoint.ejectReason = before.ejectReason;
      endpoint.ejectedUntilMs = before.ejectedForMs > 0 ? nowMs + before.ejectedForMs : 0;
    }
    if (before.warmingForMs >= 0) endpoint.warmingSinceMs = nowMs - before.warmingForMs;
  }
}

function isSame({ name, address }: SurvivingEndpoint, endpoint: Endpoint): boolean {
  return name === endpoint.name && address === formatAddress(endpoint.config.address);
}
