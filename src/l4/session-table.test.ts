import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { type Party, PARTY_WORDS } from '../net/datagram-socket.ts';
import { writeParty } from '../net/party.ts';
import { seededRandom } from '../util/random.ts';
import { type PartyEntry, SessionTable } from './session-table.ts';

class Entry implements PartyEntry<Entry> {
  partyHash = 0;
  nextOfBucket: Entry | undefined = undefined;
  readonly party: Party;

  constructor(party: Party) {
    this.party = party;
  }
}

function partyOf(ip: string, port: number, local = 0): Party {
  const party = new Int32Array(PARTY_WORDS);
  writeParty(party, ip, port);
  party[8] = local;
  return party;
}

/** A random source that gives zeros: then everything has the same hash. */
const colliding = { next: () => 0 };

describe.each([
  ['as it is', seededRandom(7)],
  ['when all hashes are the same', colliding],
])('%s', (_name, random) => {
  test('finds what was added and not removed, like a map of texts', () => {
    const step = fc.record({
      remove: fc.boolean(),
      host: fc.integer({ min: 1, max: 6 }),
      port: fc.integer({ min: 1, max: 3 }),
      local: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = new SessionTable<Entry>(random);
        const model = new Map<string, Entry>();
        for (const { remove, host, port, local } of steps) {
          const ip = host % 2 === 0 ? `10.0.0.${host}` : `2001:db8::${host}`;
          const key = `${ip} ${port} ${local}`;
          const party = partyOf(ip, port, local);
          expect(table.find(party)).toBe(model.get(key));
          const known = model.get(key);
          if (remove && known !== undefined) {
            table.remove(known);
            table.remove(known);
            model.delete(key);
          } else if (!remove && known === undefined) {
            const entry = new Entry(party);
            table.add(entry);
            model.set(key, entry);
          }
          expect(table.size).toBe(model.size);
        }
      }),
    );
  });
});

test('addresses that lie side by side do not share hashes', () => {
  const table = new SessionTable<Entry>(seededRandom(1));
  const hashes = new Set<number>();
  for (let index = 0; index < 20_000; index++) {
    const entry = new Entry(partyOf(`10.0.${index >> 8}.${index & 255}`, 1024 + (index % 100)));
    table.add(entry);
    hashes.add(entry.partyHash);
  }
  // 20 000 of 2^32: a twentieth of one is to be expected.
  expect(20_000 - hashes.size).toBeLessThan(4);
});
