/**
 * A worker that does nothing but take a place and give it back, until its input ends: `hammer-places.ts PATH COLUMN LIMIT`. While it has
 * a place it is seen in a mask of bits beside, which knows nothing of how places are counted; whoever sees too many there says so.
 */
import { SharedState } from '../../src/model/shared/shared-state.ts';
import { openSharedMemory } from '../../src/net/shared-memory.ts';
import { WITNESS, witnessWord } from './places-witness.ts';

const [path = '', worker = '0', limit = '1'] = process.argv.slice(2);
const state = SharedState.attach(openSharedMemory(path), Number(worker));
const { inFlight } = state.cells('endpoint', 0).counts;
const mask = witnessWord(state, WITNESS.mask);
const violations = witnessWord(state, WITNESS.violations);
const taken = witnessWord(state, WITNESS.taken);
const most = Number(limit);
const bit = 1 << Number(worker);

function bits(word: number): number {
  let count = 0;
  for (let left = word; left !== 0; left &= left - 1) count++;
  return count;
}

function round(): void {
  for (let turn = 0; turn < 1000; turn++) {
    if (!inFlight.take(most)) continue;
    if (bits(Atomics.or(state.counts, mask, bit) | bit) > most) Atomics.add(state.counts, violations, 1);
    Atomics.add(state.counts, taken, 1);
    for (let spin = 0; spin < 20; spin++) Atomics.load(state.counts, taken);
    Atomics.and(state.counts, mask, ~bit);
    inFlight.give();
  }
}

const ended = new AbortController();
process.stdin.on('end', () => ended.abort());
process.stdin.resume();
while (!ended.signal.aborted) {
  round();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
