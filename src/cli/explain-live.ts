import type { EndpointReport, PoolReport } from '../admin/pool-report.ts';
import type { AdminState, Endpoint, HealthState } from '../model/endpoint.ts';
import type { Clock } from '../util/clock.ts';
import { AdminClient, AdminError, adminPlace } from './admin-client.ts';

/** State of every endpoint, by pool and name, as a running instance tells it. */
export type LiveState = ReadonlyMap<string, ReadonlyMap<string, EndpointReport>>;

/**
 * Asks the admin API of a running instance for the state of its pools.
 * @param written where it listens, as `adminPlace` reads it
 * @returns a text that says what went wrong.
 */
export async function fetchLiveState(
  written: string,
  token: string | undefined,
): Promise<LiveState | string> {
  const place = adminPlace(written);
  if (place === undefined) return `${JSON.stringify(written)} is not the place of an admin interface`;
  try {
    const { body } = await new AdminClient(place, token).ask('GET', '/api/v1/pools');
    const { pools } = body as { readonly pools: readonly PoolReport[] };
    return new Map(
      pools.map(({ name, endpoints }) => [
        name,
        new Map(endpoints.map((endpoint) => [endpoint.name, endpoint])),
      ]),
    );
  } catch (error) {
    if (error instanceof AdminError) return error.message;
    throw error;
  }
}

/** Puts an endpoint into the state that was reported. Its latency and slow start are not part of a report. */
export function adopt(endpoint: Endpoint, report: EndpointReport, clock: Clock): void {
  const { state, active } = report;
  endpoint.admin = state.admin as AdminState;
  endpoint.health = state.health as HealthState;
  endpoint.healthReason = state.reason;
  endpoint.counts.inFlight.set(active);
  if (state.ejected === null) return;
  endpoint.ejectedUntilMs = clock.nowMs() + Date.parse(state.ejected.until) - clock.wallMs();
  endpoint.ejectReason = state.ejected.reason;
}
