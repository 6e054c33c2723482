import type { PolicyName } from '../config/schema/pool.ts';
import { type Availability, availability, type Endpoint } from '../model/endpoint.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Pool } from '../model/pool.ts';
import type { Random } from '../util/random.ts';
import type { PolicyPicker } from './policy.ts';
import type { Publisher } from './publish.ts';

/** One endpoint of the pool as the pick saw it. */
export interface CandidateExplanation {
  readonly endpoint: string;
  readonly availability: Availability;
  readonly priority: number;
  readonly inFlight: number;
  /** Weight in force: the configured one, scaled by slow start. */
  readonly weight: number;
  /** What the policy compares; undefined when the endpoint is out of the question. */
  readonly score: number | undefined;
  readonly chosen: boolean;
  /** Why it is out, or what its score means. */
  readonly reason: string;
}

export interface PickExplanation {
  readonly policy: PolicyName;
  readonly panic: boolean;
  /** Name of the endpoint chosen; undefined when nothing is left. Policies that draw lots may choose another next time. */
  readonly chosen: string | undefined;
  readonly candidates: readonly CandidateExplanation[];
}

/** What a pick would do now and why, by the code that picks, changing nothing. `random` draws for policies that do. */
export function explainPick(
  publisher: Publisher,
  pool: Pool,
  request: PickRequest,
  random: Random,
): PickExplanation {
  const picker = publisher.pickerOf(pool);
  const nowMs = publisher.deps.clock.nowMs();
  const chosen = picker.fork(random).pick(request);
  return {
    policy: pool.config.policy,
    panic: pool.view.panic,
    chosen: chosen?.name,
    candidates: pool.view.all.map((endpoint) => ({
      endpoint: endpoint.name,
      availability: availability(endpoint, nowMs),
      priority: endpoint.config.priority,
      inFlight: endpoint.inFlight,
      weight: endpoint.effectiveWeight,
      chosen: endpoint === chosen,
      ...verdict(pool, picker, endpoint, request, nowMs),
    })),
  };
}

function verdict(
  pool: Pool,
  picker: PolicyPicker,
  endpoint: Endpoint,
  request: PickRequest,
  nowMs: number,
): { readonly score: number | undefined; readonly reason: string } {
  if (!pool.view.available.includes(endpoint)) return { score: undefined, reason: whyOut(endpoint, nowMs) };
  if (request.tried.includes(endpoint))
    return { score: undefined, reason: 'this request has failed there already' };
  if (endpoint.full) {
    return { score: undefined, reason: `full: ${endpoint.inFlight} in flight of ${endpoint.limit}` };
  }
  const { score, meaning, obstacle } = picker.judge(endpoint, request);
  const health = availability(endpoint, nowMs) === 'open' ? '' : '; in panic, health is ignored';
  return { score, reason: `${obstacle ?? meaning}${health}` };
}

/** Why an endpoint takes no new work; the operator's will first, because it stands over everything else. */
function whyOut(endpoint: Endpoint, nowMs: number): string {
  if (endpoint.admin === 'disabled') return 'disabled by the operator';
  if (endpoint.admin === 'draining') return 'draining: no new work';
  if (endpoint.config.weight === 0) return 'weight 0: bound sessions only';
  if (endpoint.health === 'unhealthy') return `unhealthy: ${endpoint.healthReason}`;
  if (endpoint.ejectedUntilMs > nowMs) {
    const seconds = ((endpoint.ejectedUntilMs - nowMs) / 1000).toFixed(1);
    return `ejected for ${seconds} s more: ${endpoint.ejectReason}`;
  }
  return `priority ${endpoint.config.priority} is in reserve: enough of the lower ones are healthy`;
}
