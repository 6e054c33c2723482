import type { SharedState } from '../../src/model/shared/shared-state.ts';

/** Slots that nobody was given, whose first words watch over the places of slot 0. */
export const WITNESS = {
  /** One bit for each worker that has a place. */
  mask: 10,
  /** How often more bits were set than there are places. */
  violations: 11,
  /** How often a place was taken. */
  taken: 12,
} as const;

/** Index of the word in `state.counts`. */
export function witnessWord({ layout }: SharedState, slot: number): number {
  return layout.countAt('endpoint', 'inFlight', slot);
}
