import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { Endpoint } from '../endpoint.ts';
import { ListenerStats } from '../listener-stats.ts';
import { pool as poolSchema } from '../../config/schema/pool.ts';
import { countsOf } from './cells.ts';
import { type Capacity, CAPACITY, KINDS, Layout, PAGE_BYTES, TOTALS } from './layout.ts';
import type { Region } from './regions.ts';
import { PrivateFile } from './shared-file.ts';
import { SharedState } from './shared-state.ts';
import { sharedStateBytes, StateOwner } from './state-owner.ts';

const SMALL: Capacity = { pool: 2, endpoint: 4, listener: 2, route: 3, arenaBytes: 2 * PAGE_BYTES };

function rig(workers = 3, capacity = SMALL) {
  const file = new PrivateFile(sharedStateBytes(workers, capacity));
  const owner = StateOwner.create(file, workers, (memory) => memory.fill(1, 0, 1), capacity);
  return { file, owner, attach: (column: number) => SharedState.attach(file, column) };
}

function keys(endpoints: readonly string[]) {
  return { pool: ['p'], endpoint: endpoints, listener: ['l'], route: [], regions: [] };
}

describe('the layout', () => {
  test('gives every word to one owner', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), (workers) => {
        const layout = new Layout(workers, SMALL);
        const taken = new Set<number>();
        const take = (at: number, bytes: number): void => {
          for (let byte = at; byte < at + bytes; byte += 4) {
            expect(taken.has(byte)).toBe(false);
            taken.add(byte);
          }
          expect(at + bytes).toBeLessThanOrEqual(layout.sizeBytes);
        };
        take(0, layout.header().byteLength);
        for (const kind of KINDS) {
          for (let slot = 0; slot < SMALL[kind]; slot++) {
            for (const [count, { WORDS }] of countsOf(kind))
              for (let worker = 0; worker < workers; worker++)
                take(
                  layout.countsAt + (layout.countAt(kind, count, slot) + worker * layout.countsStride) * 4,
                  WORDS * 4,
                );
            for (let column = 0; column <= workers; column++)
              take(layout.totalsAt(column) + layout.recordAt(kind, slot) * 8, TOTALS[kind] * 8);
          }
        }
      }),
      { numRuns: 5 },
    );
  });

  test('keeps the words of two workers in different pages', () => {
    const layout = new Layout(4, CAPACITY);
    expect(layout.countsAt % PAGE_BYTES).toBe(0);
    expect((layout.countsStride * 4) % PAGE_BYTES).toBe(0);
    expect(layout.totalsAt(1) % PAGE_BYTES).toBe(0);
  });

  test('is refused when it is not ours, of another version or damaged', () => {
    const { file } = rig();
    const header = new Int32Array(file.map(0, 64).buffer, 0, 16);
    expect(() => SharedState.attach(file, 0)).not.toThrow();
    for (const word of [1, 2, 3, 5, 15]) {
      const before = header[word]!;
      header[word] = before + 1;
      expect(() => SharedState.attach(file, 0)).toThrow('of another version of Pointsman, or damaged');
      header[word] = before;
    }
    header[0] = 0;
    expect(() => SharedState.attach(file, 0)).toThrow('not the shared memory of Pointsman');
  });

  test('has no column for more workers than it was made for', () => {
    expect(() => rig(2).attach(2)).toThrow('there is no column 2 in a memory for 2 workers');
  });
});

describe('slots', () => {
  test('what stays keeps its slot, what is new gets one', () => {
    const { owner } = rig();
    const first = owner.assign(keys(['a', 'b']), 0).endpoint;
    expect(first).toEqual([
      ['a', 0],
      ['b', 1],
    ]);
    expect(owner.assign(keys(['b', 'c', 'a']), 0).endpoint).toEqual([
      ['b', 1],
      ['c', 2],
      ['a', 0],
    ]);
  });

  test('a slot is used again after a minute, and only when nothing is under way in it', () => {
    const { owner, attach } = rig();
    owner.assign(keys(['a', 'b', 'c', 'd']), 0);
    const a = attach(1).cells('endpoint', 0);
    const { inFlight } = a.counts;
    inFlight.take(5);
    a.totals[0] = 7;
    owner.retain(keys(['b', 'c', 'd']), 1000);
    expect(() => owner.assign(keys(['b', 'c', 'd', 'e']), 30_000)).toThrow(
      '1 new endpoints do not fit: there can be 4 endpoints',
    );
    expect(() => owner.assign(keys(['b', 'c', 'd', 'e']), 61_000)).toThrow('do not fit');
    inFlight.give();
    expect(owner.assign(keys(['b', 'c', 'd', 'e']), 61_000).endpoint[3]).toEqual(['e', 0]);
    expect(a.totals[0]).toBe(0);
  });

  test('what comes back in time gets its slot with all that it has counted', () => {
    const { owner, attach } = rig();
    owner.assign(keys(['a']), 0);
    attach(0).cells('endpoint', 0).totals[0] = 7;
    owner.retain(keys([]), 0);
    owner.assign(keys(['a']), 30_000);
    expect(owner.assign(keys(['a', 'b']), 200_000).endpoint[0]).toEqual(['a', 0]);
    owner.gather();
    expect(owner.state.cells('endpoint', 0).totals[0]).toBe(7);
  });

  test('when something does not fit nothing is assigned', () => {
    const { owner } = rig();
    owner.assign(keys(['a']), 0);
    const tooMuch = { ...keys(['a', 'b', 'c', 'd']), route: ['1', '2', '3', '4'] };
    expect(() => owner.assign(tooMuch, 0)).toThrow('4 new routes do not fit: there can be 3 routes');
    expect(owner.assign(keys(['a', 'x', 'y', 'z']), 0).endpoint).toHaveLength(4);
  });
});

describe('totals', () => {
  test('the supervisor reads the sum, also of workers that are dead', () => {
    const { owner, attach } = rig();
    owner.assign(keys(['a']), 0);
    const endpoint = poolSchema.parse({ name: 'p', endpoints: ['127.0.0.1:1'] }).endpoints[0]!;
    const see = (state: SharedState) => new Endpoint('p', endpoint, state.cells('endpoint', 0));
    const supervised = see(owner.state);
    const workers = [0, 1, 2].map((column) => see(attach(column)));
    for (const [index, { stats }] of workers.entries()) {
      stats.requests += 10 ** index;
      stats.statuses[2]! += index;
      stats.latency.record(4 ** index);
    }
    owner.gather();
    const { stats } = supervised;
    expect([stats.requests, stats.statuses[2], stats.latency.count, stats.latency.sumMs]).toEqual([
      111, 3, 3, 21,
    ]);
    owner.clearColumn(1);
    const restarted = see(attach(1));
    restarted.stats.requests += 1000;
    owner.gather();
    expect([stats.requests, stats.latency.count]).toEqual([1111, 3]);
  });
});

test('what a dead worker had under way is cleared, and only that', () => {
  const { owner, attach } = rig();
  owner.assign(keys(['a']), 0);
  const [first, second] = [attach(0), attach(2)].map((state) => ({
    inFlight: state.cells('endpoint', 0).counts.inFlight,
    queued: state.cells('pool', 0).counts.queued,
    connections: new ListenerStats(state.cells('listener', 0)).connections,
  }));
  for (const { inFlight, queued, connections } of [first!, second!]) {
    for (const places of [inFlight, inFlight, queued, connections]) expect(places.take(10)).toBe(true);
  }
  owner.clearColumn(2);
  const { counts } = owner.state.cells('endpoint', 0);
  expect([counts.inFlight.sum, first!.inFlight.sum, first!.queued.sum, first!.connections.sum]).toEqual([
    2, 2, 1, 1,
  ]);
  const again = attach(2).cells('endpoint', 0).counts.inFlight;
  expect([again.own, again.take(3), again.take(3)]).toEqual([0, true, false]);
});

test('HTTP/2 connections and streams of a dead worker are open no more', () => {
  const { owner, attach } = rig();
  owner.assign(keys(['a']), 0);
  const [supervised, first, second] = [owner.state, attach(0), attach(2)].map(
    (state) => new ListenerStats(state.cells('listener', 0)).http2,
  );
  for (const http2 of [first!, second!]) {
    http2.connected();
    for (let stream = 0; stream < 3; stream++) http2.streamOpened();
    http2.streamClosed();
  }
  owner.gather();
  expect(supervised).toMatchObject({
    connectionsOpen: 2,
    connectionsTotal: 2,
    streamsOpen: 4,
    streamsTotal: 6,
  });
  owner.clearColumn(2);
  owner.gather();
  expect(supervised).toMatchObject({
    connectionsOpen: 1,
    connectionsTotal: 2,
    streamsOpen: 2,
    streamsTotal: 6,
  });
});

describe('regions', () => {
  const region = (id: string, sizeBytes: number, key = id) => ({ key, id, sizeBytes });
  const wanting = (...regions: ReturnType<typeof region>[]) => ({ ...keys([]), regions });

  test('are all 0 but for what makes them ready, seen by all, and stay with their id', () => {
    const { owner, attach } = rig();
    const [[key, given]] = owner.assign(wanting(region('r', 100, 'first name')), 0).regions as [
      [string, Region],
    ];
    expect([key, given.sizeBytes, given.offset]).toEqual(['first name', 100, owner.state.layout.arenaAt]);
    attach(0).region(given)[99] = 5;
    const [[, again]] = owner.assign(wanting(region('r', 100, 'other name')), 0).regions as [
      [string, Region],
    ];
    const seen = attach(1).region(again);
    expect([again, seen[0], seen[1], seen[99]]).toEqual([given, 1, 0, 5]);
  });

  test('are used again after a minute, empty', () => {
    const { owner, attach } = rig();
    const offsets =
      (...regions: ReturnType<typeof region>[]) =>
      (nowMs: number) =>
        owner
          .assign(wanting(...regions), nowMs)
          .regions.map(([, { offset }]) => offset - owner.state.layout.arenaAt);
    expect(offsets(region('a', 10), region('b', PAGE_BYTES))(0)).toEqual([0, PAGE_BYTES]);
    attach(0).region({ offset: owner.state.layout.arenaAt, sizeBytes: 10 })[5] = 9;
    owner.retain(wanting(region('b', PAGE_BYTES)), 0);
    expect(() => offsets(region('b', PAGE_BYTES), region('c', 20))(59_000)).toThrow('lower maxKeys');
    expect(offsets(region('b', PAGE_BYTES), region('c', 20))(60_000)).toEqual([PAGE_BYTES, 0]);
    expect(attach(1).region({ offset: owner.state.layout.arenaAt, sizeBytes: 20 })[5]).toBe(0);
  });
});

describe('another number of workers', () => {
  test('new ones are counted from the moment at which they are known, those that went are not', () => {
    const { owner, attach } = rig(3);
    owner.span(1);
    const slots = owner.assign(keys(['a']), 0);
    const [slot = 0] = slots.endpoint.map(([, number]) => number);
    const first = attach(0);
    first.span(1);
    const inFlight = first.cells('endpoint', slot).counts.inFlight;
    expect(inFlight.alone).toBe(true);
    expect([inFlight.take(2), inFlight.sum]).toEqual([true, 1]);

    owner.span(3);
    first.span(3);
    const third = attach(2);
    const others = third.cells('endpoint', slot).counts.inFlight;
    expect(inFlight.alone).toBe(false);
    expect([others.take(2), others.take(2), inFlight.sum, inFlight.take(2)]).toEqual([true, false, 2, false]);
    third.cells('endpoint', slot).totals[0] = 5;
    first.cells('endpoint', slot).totals[0] = 2;

    owner.clearColumn(2);
    owner.span(1);
    first.span(1);
    expect([inFlight.alone, inFlight.sum, inFlight.take(2), inFlight.take(2)]).toEqual([
      true,
      1,
      true,
      false,
    ]);
    owner.gather();
    expect(owner.state.cells('endpoint', slot).totals[0]).toBe(7);
  });

  test('an object that came while there were fewer is 0 for those that come', () => {
    const { owner, attach } = rig(3);
    owner.span(1);
    const slots = owner.assign(keys(['a', 'b']), 0);
    owner.span(3);
    const last = attach(2);
    for (const [, slot] of slots.endpoint) {
      expect(last.cells('endpoint', slot).counts.inFlight.sum).toBe(0);
      expect([...last.cells('endpoint', slot).totals].every((word) => word === 0)).toBe(true);
    }
  });
});

test('what nobody has any more is given back, a minute later', () => {
  const { file, owner } = rig();
  const released: (readonly [number, number])[] = [];
  file.release = (offset, size) => void released.push([offset, size]);
  const wanting = (...ids: string[]) => ({
    ...keys([]),
    regions: ids.map((id) => ({ key: id, id, sizeBytes: 100 })),
  });
  const { regions } = owner.assign(wanting('a'), 0);
  owner.retain(wanting('b'), 1000);
  owner.assign(wanting('b'), 60_999);
  expect(released).toEqual([]);
  owner.assign(wanting('b'), 61_000);
  expect(released).toEqual([[regions[0]![1].offset, PAGE_BYTES]]);
});
