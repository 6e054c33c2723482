import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { seededRandom } from '../../util/random.ts';
import { seedTable } from '../../util/table-seeds.ts';
import { privateTallyTable, type TallyClaim, TallyTable, tallyTableBytes } from './tally-table.ts';

/** The same table as each of some workers sees it. */
function shared(workers: number, maxKeys: number): TallyTable[] {
  const memory = new Uint8Array(tallyTableBytes(maxKeys, workers));
  seedTable(memory, seededRandom(1));
  return Array.from({ length: workers }, (_, own) => new TallyTable(memory, maxKeys, { workers, own }));
}

describe('what a key has open', () => {
  test('is never more than the limit', () => {
    const table = privateTallyTable(100);
    const claims = [table.take('a', 2), table.take('a', 2)];
    expect(table.take('a', 2)).toBeUndefined();
    expect(table.take('b', 2)).toBeDefined();
    claims[0]!.give();
    expect(table.take('a', 2)).toBeDefined();
    expect(table.take('a', 2)).toBeUndefined();
  });

  test('is one count for all workers, and what a dead one had is free', () => {
    const [first, second] = shared(2, 100) as [TallyTable, TallyTable];
    const kept = first.take('a', 5);
    for (let time = 0; time < 4; time++) expect(second.take('a', 5)).toBeDefined();
    expect(first.take('a', 5)).toBeUndefined();
    first.clear(1);
    for (let time = 0; time < 4; time++) expect(first.take('a', 5)).toBeDefined();
    expect(second.take('a', 5)).toBeUndefined();
    kept!.give();
    expect(second.take('a', 5)).toBeDefined();
  });

  test('is let in when there is no room to count it, and takes nothing from others then', () => {
    const table = privateTallyTable(4);
    const claims = Array.from({ length: 100 }, (_, index) => table.take(`key ${index}`, 1));
    expect(claims.every((claim) => claim !== undefined)).toBe(true);
    for (const claim of claims) claim!.give();
    expect(table.take('x', 1)).toBeDefined();
    expect(table.take('x', 1)).toBeUndefined();
  });

  test('is what a plain count says, whoever takes, gives and dies', () => {
    const step = fc.record({
      worker: fc.nat(2),
      key: fc.constantFrom('a', 'b', 'c', '2001:db8::/64'),
      what: fc.constantFrom('take', 'take', 'take', 'give', 'give', 'die'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (steps, limit) => {
        const tables = shared(3, 50);
        const open: { worker: number; key: string; claim: TallyClaim }[] = [];
        for (const { worker, key, what } of steps) {
          if (what === 'take') {
            const claim = tables[worker]!.take(key, limit);
            expect(claim !== undefined).toBe(open.filter((one) => one.key === key).length < limit);
            if (claim !== undefined) open.push({ worker, key, claim });
          } else if (what === 'give') {
            const at = open.findIndex((one) => one.key === key && one.worker === worker);
            if (at >= 0) open.splice(at, 1)[0]!.claim.give();
          } else {
            tables[0]!.clear(worker);
            for (let at = open.length; at-- > 0;) if (open[at]!.worker === worker) open.splice(at, 1);
          }
        }
      }),
    );
  });
});
