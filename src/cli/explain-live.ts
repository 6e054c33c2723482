import type { EndpointReport, PoolReport } from '../admin/pool-report.ts';
import type { AdminState, Endpoint, HealthState } from '../model/endpoint.ts';
import type { Clock } from '../util/clock.ts';

/** State of every endpoint, by pool and name, as a running instance tells it. */
export type LiveState = ReadonlyMap<string, ReadonlyMap<string, EndpointReport>>;

const TIMEOUT_MS = 5000;

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Asks the admin API of a running instance for the state of its pools.
 * @param url Base URL, such as `http://127.0.0.1:9900`.
 * @returns a text that says what went wrong.
 */
export async function fetchLiveState(url: string, token: string | undefined): Promise<LiveState | string> {
  const base = /^https?:\/\//.test(url) ? url : `http://${url}`;
  if (!URL.canParse('/api/v1/pools', base)) return `${JSON.stringify(url)} is not the URL of an admin API`;
  const place = new URL('/api/v1/pools', base);
  try {
    const response = await fetch(place, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) return `${place.href} answered ${response.status}`;
    const { pools } = (await response.json()) as { readonly pools: readonly PoolReport[] };
    return new Map(
      pools.map(({ name, endpoints }) => [
        name,
        new Map(endpoints.map((endpoint) => [endpoint.name, endpoint])),
      ]),
    );
  } catch (error) {
    return `${place.href} did not answer: ${reason(error)}`;
  }
}

/** Puts an endpoint into the state that was reported. Its latency and slow start are not part of a report. */
export function adopt(endpoint: Endpoint, report: EndpointReport, clock: Clock): void {
  const { state, active } = report;
  endpoint.admin = state.admin as AdminState;
  endpoint.health = state.health as HealthState;
  endpoint.healthReason = state.reason;
  endpoint.inFlight = active;
  if (state.ejected === null) return;
  endpoint.ejectedUntilMs = clock.nowMs() + Date.parse(state.ejected.until) - clock.wallMs();
  endpoint.ejectReason = state.ejected.reason;
}
