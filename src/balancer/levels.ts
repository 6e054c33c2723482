import { availability, type Endpoint } from '../model/endpoint.ts';

/** Spare capacity that a priority is assumed to have: it spills over only below 100/140 = 71 % healthy. Envoy's figure. */
const OVERPROVISIONING_PERCENT = 140;
/** A share below this is the rounding of a sum. */
const NO_SHARE = 1e-9;

/** The endpoints of one priority and what they are to carry. */
export interface Level {
  readonly priority: number;
  /** Those to use: the open ones; all that the operator wants used when it must carry traffic in panic. */
  readonly members: readonly Endpoint[];
  /** Share of the pool's traffic, percent; those of all levels sum to 100, or to 0 when nothing can be used. */
  readonly sharePercent: number;
  readonly panic: boolean;
}

interface Headcount {
  readonly priority: number;
  /** Enabled, with a weight above 0: what the operator wants used. Drained ones are no sign of ill health. */
  readonly wanted: Endpoint[];
  readonly open: Endpoint[];
}

/**
 * Splits a pool by priority, after Envoy. A priority can carry `min(100, 140 x open / wanted)` percent; what 0 cannot
 * carry goes to 1, and so on. When all together cannot carry everything, each gets its proportion, and a priority with
 * fewer than `panicPercent` open is in panic: health is ignored there, because a few survivors would only fall over next.
 * When all are in panic the traffic is split by their number of endpoints.
 */
export function levelsOf(endpoints: readonly Endpoint[], panicPercent: number, nowMs: number): Level[] {
  const counts = headcounts(endpoints, nowMs);
  const carries = counts.map(({ open, wanted }) =>
    Math.min(100, (OVERPROVISIONING_PERCENT * open.length) / wanted.length),
  );
  const carried = Math.min(
    100,
    carries.reduce((sum, percent) => sum + percent, 0),
  );
  const panics = counts.map(
    ({ open, wanted }) => carried < 100 && (100 * open.length) / wanted.length < panicPercent,
  );
  const wantedInAll = counts.reduce((sum, { wanted }) => sum + wanted.length, 0);
  const allInPanic = panics.every(Boolean);
  let left = 100;
  return counts.map(({ priority, open, wanted }, index) => {
    const panic = panics[index]!;
    const carry = allInPanic ? (100 * wanted.length) / wantedInAll : (100 * carries[index]!) / carried;
    const usable = panic ? wanted : open;
    const sharePercent = usable.length === 0 || left < NO_SHARE ? 0 : Math.min(left, carry);
    left -= sharePercent;
    return { priority, members: sharePercent > 0 ? usable : open, sharePercent, panic };
  });
}

/** Endpoints that the operator wants used, by ascending priority; a priority without any is left out. */
function headcounts(endpoints: readonly Endpoint[], nowMs: number): Headcount[] {
  const byPriority = new Map<number, Headcount>();
  for (const endpoint of endpoints) {
    if (endpoint.admin !== 'enabled' || endpoint.config.weight === 0) continue;
    const { priority } = endpoint.config;
    const count = byPriority.get(priority) ?? { priority, wanted: [], open: [] };
    byPriority.set(priority, count);
    count.wanted.push(endpoint);
    if (availability(endpoint, nowMs) === 'open') count.open.push(endpoint);
  }
  return [...byPriority.values()].toSorted((a, b) => a.priority - b.priority);
}
