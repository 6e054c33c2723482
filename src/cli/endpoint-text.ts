import type { DrainReport, EndpointReport } from '../admin/pool-report.ts';
import type { EndpointWork } from '../model/endpoint.ts';
import { counted } from './issues.ts';

/** `2 requests, 1 tunnel`; `nothing`. */
export function workText({ requests, tunnels, sessions }: EndpointWork): string {
  const parts = [];
  if (requests > 0) parts.push(counted(requests, 'request'));
  if (tunnels > 0) parts.push(counted(tunnels, 'tunnel'));
  if (sessions > 0) parts.push(counted(sessions, 'session'));
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

/** Date and time to the second; nobody reads milliseconds. */
function timeText(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}

/** What is left, and until when: `2 requests left, until 2026-01-01T00:00:00Z`. */
export function drainText(drain: DrainReport): string {
  const parts = [drain.empty ? 'empty' : `${workText(drain)} left`];
  if (drain.left === null && drain.deadline !== null) parts.push(`until ${timeText(drain.deadline)}`);
  if (drain.takesBound) parts.push('sticky clients may come back');
  if (drain.leaves) parts.push('leaves the pool');
  return parts.join(', ');
}

/** The one word that says most of an endpoint's state. */
export function stateWord({ state, weight }: EndpointReport): string {
  if (state.admin !== 'enabled') return state.admin;
  if (state.ejected !== null) return 'ejected';
  if (state.health === 'unhealthy') return 'unhealthy';
  if (weight === 0) return 'weight 0';
  return state.full ? 'full' : 'open';
}

/** Why it is so. */
export function stateReason({ state, drain }: EndpointReport): string {
  if (drain !== null) return drainText(drain);
  if (state.ejected !== null) return `${state.ejected.reason}, until ${timeText(state.ejected.until)}`;
  return state.warming ? `${state.reason}, slow start` : state.reason;
}
