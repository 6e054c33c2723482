import { availability } from '../model/endpoint.ts';
import type { Readiness } from '../model/runtime-view.ts';
import type { AdminState } from './state.ts';

/**
 * Whether traffic should be sent here: every listener is bound and shutdown has not begun. What the endpoints do is left
 * out on purpose: when a pool fails, it fails behind every balancer of a group, and a group that takes itself out
 * of service makes one broken pool the end of all (as Kubernetes says of readiness probes on dependencies).
 */
export function readiness({ view }: AdminState): Readiness {
  return view.readiness();
}

/** As `readiness`, and every pool that a listener uses has an endpoint that may take requests. */
export function readinessWithPools(state: AdminState): Readiness {
  const { view, clock } = state;
  const nowMs = clock.nowMs();
  const used = new Set(view.listeners().flatMap(({ pools }) => pools));
  const without = view
    .pools()
    .filter(({ name }) => used.has(name))
    .filter((pool) => pool.view.all.every((endpoint) => availability(endpoint, nowMs) === 'closed'))
    .map(({ name }) => `pool ${name} has no usable endpoint`);
  const reasons = [...readiness(state).reasons, ...without];
  return { ready: readiness(state).ready && without.length === 0, reasons };
}
