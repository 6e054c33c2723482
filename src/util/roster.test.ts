import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { type Enlisted, Roster } from './roster.ts';

test('has what a set would have, whoever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(7))), (steps) => {
      const candidates: Enlisted[] = Array.from({ length: 8 }, () => ({ place: -1 }));
      const roster = new Roster<Enlisted>();
      const set = new Set<Enlisted>();
      for (const [comes, which] of steps) {
        const member = candidates[which]!;
        if (!comes) {
          roster.delete(member);
          set.delete(member);
        } else if (!roster.has(member)) {
          roster.add(member);
          set.add(member);
        }
        expect(roster.size).toBe(set.size);
        for (const candidate of candidates) expect(roster.has(candidate)).toBe(set.has(candidate));
      }
      expect(new Set(roster)).toEqual(set);
    }),
  );
});

test('who goes while all are called is called, as are the others, once', () => {
  const roster = new Roster<Enlisted>();
  const members = Array.from({ length: 5 }, () => ({ place: -1 }));
  for (const member of members) roster.add(member);
  const called: Enlisted[] = [];
  for (const member of roster) {
    called.push(member);
    roster.delete(member);
    roster.delete(members[4]!);
  }
  expect(called).toEqual(members);
  expect(roster.size).toBe(0);
});

test('a member of another roster is none of this one', () => {
  const one = new Roster<Enlisted>();
  const other = new Roster<Enlisted>();
  const members = [{ place: -1 }, { place: -1 }] as const;
  one.add(members[0]);
  other.add(members[1]);
  expect([one.has(members[1]), other.has(members[0])]).toEqual([false, false]);
  one.delete(members[1]);
  expect(one.size).toBe(1);
});
