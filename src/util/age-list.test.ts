import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { type Aged, AgeList } from './age-list.ts';

class Member implements Aged<Member> {
  older: Member | undefined = undefined;
  younger: Member | undefined = undefined;
  listed = false;
}

test('is in the order of a set, whoever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(7))), (steps) => {
      const candidates = Array.from({ length: 8 }, () => new Member());
      const list = new AgeList<Member>();
      const set = new Set<Member>();
      for (const [comes, which] of steps) {
        const member = candidates[which]!;
        if (comes && !set.has(member)) list.add(member);
        if (comes) set.add(member);
        else list.delete(member);
        if (!comes) set.delete(member);
        const seen: Member[] = [];
        for (let at = list.oldest; at !== undefined; at = at.younger) seen.push(at);
        expect(seen).toEqual([...set]);
      }
    }),
  );
});

test('who is gone refers to nobody', () => {
  const list = new AgeList<Member>();
  const members = [new Member(), new Member(), new Member()] as const;
  for (const member of members) list.add(member);
  list.delete(members[1]);
  expect(members[1]).toEqual(new Member());
});
