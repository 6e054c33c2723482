/** Randomness, injected so that choices can be scripted in tests. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: () => Math.random() };

/** A whole number in [0, bound). */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

/**
 * A small seeded generator (mulberry32): the same seed gives the same sequence, for tests, simulation and `explain`.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
