import type { CaseResult, Sample } from './results.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** The proxy that is compared with the better of the others. */
const SUBJECT = 'Pointsman';

/** A figure that is compared, and which way is better. */
export interface Measure {
  readonly title: string;
  readonly of: (sample: Sample) => number;
  readonly lowerIsBetter: boolean;
}

export const MEASURES: readonly Measure[] = [
  { title: 'CPU a request', of: (sample) => sample.cpuUs, lowerIsBetter: true },
  { title: 'requests a second', of: (sample) => sample.perSecond, lowerIsBetter: false },
  { title: 'p50', of: (sample) => sample.p50Us, lowerIsBetter: true },
  { title: 'p99', of: (sample) => sample.p99Us, lowerIsBetter: true },
];

/**
 * Pointsman divided by the better of the other proxies, round by round: the samples of a round were taken one after
 * the other, so that what disturbs the machine for longer disturbs all. Undefined without Pointsman or the others.
 */
export function ratioToBetter(results: readonly CaseResult[], measure: Measure): Spread | undefined {
  const subject = results.find((result) => result.proxy === SUBJECT);
  const others = results.filter((result) => result.proxy !== SUBJECT);
  if (subject === undefined || others.length === 0) return undefined;
  const best = measure.lowerIsBetter ? Math.min : Math.max;
  const ratios = subject.samples.map((sample, round) => {
    const figures = others.flatMap((other) => other.samples.slice(round, round + 1).map(measure.of));
    return measure.of(sample) / best(...figures);
  });
  return spreadOf(ratios);
}

/** CPU a request in one case divided by that in another of the same proxy, round by round. */
export function growth(from: CaseResult, to: CaseResult): Spread {
  const ratios = to.samples.flatMap((sample, round) =>
    from.samples.slice(round, round + 1).map((base) => sample.cpuUs / base.cpuUs),
  );
  return spreadOf(ratios);
}
