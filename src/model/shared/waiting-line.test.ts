import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { WaitingLine } from './waiting-line.ts';

function lines(workers: number) {
  const words = new Int32Array(workers);
  const called: number[] = [];
  const all = Array.from(
    { length: workers },
    (_, own) =>
      new WaitingLine({ words, first: 0, stride: 1, workers, own, call: (worker) => called.push(worker) }),
  );
  return { all, called };
}

test('who waits longest is called first, then the others in their order, each once', () => {
  fc.assert(
    fc.property(
      // Over the turn of the modulus too.
      fc.constantFrom(0, 0x3fff_fff0, 0x4000_0000 * 3 - 5),
      fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { minLength: 2, maxLength: 6 }),
      (originMs, waits) => {
        const { all, called } = lines(waits.length);
        const standing = waits
          .flatMap((ms, worker) => (ms === null ? [] : [{ ms: originMs + ms, worker }]))
          .toSorted((a, b) => a.ms - b.ms || a.worker - b.worker);
        for (const { ms, worker } of standing) all[worker]!.stand(ms);
        const order = standing.map(({ worker }) => worker);
        for (const [worker, line] of all.entries()) {
          expect(line.othersWait).toBe(order.some((other) => other !== worker));
          called.length = 0;
          expect(line.callOlder()).toBe(order.length > 0 && order[0] !== worker);
          expect(called).toEqual(order.slice(0, order[0] === worker ? 0 : 1));
        }
        for (const [place, { worker, ms }] of standing.entries()) {
          called.length = 0;
          all[worker]!.callNext(ms);
          expect(called).toEqual(order.slice(place + 1, place + 2));
        }
        for (const { worker } of standing) all[worker]!.leave();
        expect(all.some((line) => line.othersWait || line.callOlder())).toBe(false);
      },
    ),
  );
});

test('there is nobody to call for one that is alone', () => {
  const { all, called } = lines(1);
  all[0]!.stand(5);
  expect([all[0]!.alone, all[0]!.othersWait, all[0]!.callOlder(), called]).toEqual([true, false, false, []]);
});
