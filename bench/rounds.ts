import type { Contender } from './contender.ts';
import type { BenchOptions } from './options.ts';
import type { Sample } from './results.ts';
import { rotated } from './statistics.ts';

/** A round in which others used more than this share of a core in any of its loads is measured again. */
const QUIET_CORES = 0.1;

/** One sample of every contender, in their order. */
export type Round = readonly Sample[];

/** Cores that others used in the worst moment of a round. */
function disturbance(round: Round): number {
  return Math.max(...round.map((sample) => sample.foreignCores));
}

/**
 * The `count` rounds that others disturbed least, in their order. What is kept depends on what others did, never on
 * the figures.
 */
export function quietest(rounds: readonly Round[], count: number): Round[] {
  const kept = new Set(rounds.toSorted((a, b) => disturbance(a) - disturbance(b)).slice(0, count));
  return rounds.filter((round) => kept.has(round));
}

/**
 * Measures the contenders in turn, round by round, until there are enough quiet rounds or no extra ones are left.
 * Returns as many rounds as asked for.
 */
export async function measureRounds(
  contenders: readonly Contender[],
  options: BenchOptions,
  capacity: number,
  say: (line: string) => void,
): Promise<Round[]> {
  const rounds: Round[] = [];
  let quiet = 0;
  while (quiet < options.rounds && rounds.length < options.rounds + options.extraRounds) {
    const samples = new Map<Contender, Sample>();
    for (const contender of rotated(contenders, rounds.length)) {
      const sample = await contender.sample(capacity);
      samples.set(contender, sample);
      say(`  round ${rounds.length + 1}, ${contender.case.title}, ${contender.proxy}: ${inWords(sample)}`);
    }
    const round = contenders.flatMap((contender) => samples.get(contender) ?? []);
    rounds.push(round);
    if (disturbance(round) <= QUIET_CORES) quiet += 1;
  }
  return quietest(rounds, options.rounds);
}

function inWords(sample: Sample): string {
  const rate = Math.round(sample.perSecond);
  const others = sample.foreignCores.toFixed(2);
  return `${sample.cpuUs.toFixed(2)} us CPU a request, ${rate} requests/s (others used ${others} cores)`;
}
