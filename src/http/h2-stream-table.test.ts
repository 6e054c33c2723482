import { expect, test } from 'bun:test';
import { array, assert, integer, property } from 'fast-check';

import { StreamTable } from './h2-stream-table.ts';

test('finds what is there, whatever comes and goes', () => {
  assert(
    property(array(integer({ min: 0, max: 400 }), { maxLength: 300 }), (numbers) => {
      const table = new StreamTable<{ readonly id: number }>();
      const known = new Map<number, { readonly id: number }>();
      for (const number of numbers) {
        const id = number * 2 + 1;
        const stream = known.get(id);
        if (stream === undefined) {
          const added = { id };
          known.set(id, added);
          table.add(added);
        } else {
          known.delete(id);
          table.remove(stream);
        }
        expect(table.size).toBe(known.size);
      }
      for (let id = 1; id < 810; id += 2) expect(table.get(id)).toBe(known.get(id));
      expect(new Set(table.all)).toEqual(new Set(known.values()));
    }),
  );
});
