import type { OutlierDetectionConfig } from '../config/schema/pool.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';

type Durations = Pick<OutlierDetectionConfig, 'ejectFor' | 'maxEjectFor'>;

/** How long the `count`th ejection in a row lasts: `ejectFor` doubled each time, `maxEjectFor` at most. */
export function ejectionMs(count: number, { ejectFor, maxEjectFor }: Durations): number {
  return Math.min(ejectFor * 2 ** (count - 1), maxEjectFor);
}

/**
 * Ejections that still count against an endpoint which has been in use for `inUseMs` since its last one: one is forgotten for each
 * `ejectFor` of good conduct.
 */
export function rememberedEjections(count: number, inUseMs: number, { ejectFor }: Durations): number {
  return Math.max(0, count - Math.floor(inUseMs / ejectFor));
}

/**
 * Why this endpoint must stay although it fails; undefined when it may be ejected. Of what the operator wants used, no more than
 * `maxEjectedPercent` is out at a time (but one may always be, unless that is 0), and never the last endpoint that takes new
 * work.
 */
export function whyKeep(
  endpoint: Endpoint,
  all: readonly Endpoint[],
  maxEjectedPercent: number,
  nowMs: number,
): string | undefined {
  let wanted = 0;
  let ejected = 0;
  let others = 0;
  for (const other of all) {
    if (other.admin === 'disabled') continue;
    wanted++;
    if (other.ejectedUntilMs > nowMs) ejected++;
    if (other !== endpoint && availability(other, nowMs) === 'open') others++;
  }
  if (others === 0) return 'it is the last one that can be used';
  const most = maxEjectedPercent === 0 ? 0 : Math.max(1, Math.floor((wanted * maxEjectedPercent) / 100));
  if (ejected < most) return undefined;
  return `${ejected} of ${wanted} are ejected, and maxEjectedPercent is ${maxEjectedPercent}`;
}
