import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { ConnectionSide } from './connection-side.ts';
import { Relay } from './relay.ts';
import { runTurn } from './turn.ts';

const IDLE_MS = 3_600_000;
const SEND_MS = 60_000;
const STEPS = 40;
const TICK_MS = 50;

let time: FakeTime;
let network: MemoryNetwork;

beforeEach(() => {
  time = new FakeTime();
  network = new MemoryNetwork();
});
afterEach(() => time.restore());

interface Rig {
  readonly client: MemoryPeer;
  readonly endpoint: MemoryPeer;
  readonly relay: Relay;
  /** Times that the end of it was told. */
  readonly finished: () => number;
}

/** A relay; `before` happens to the connections while they are not one yet. */
function open(
  before: (client: MemoryPeer, endpoint: MemoryPeer) => void = () => {},
  leftovers: readonly [client: string, endpoint: string] = ['', ''],
): Rig {
  const [client, endpoint] = [network.peer(), network.peer('10.0.0.1', 80)];
  before(client, endpoint);
  let count = 0;
  let relay!: Relay;
  runTurn(() => {
    const [left, right] = [client, endpoint].map(
      ({ connection }, index) => new ConnectionSide(connection, Buffer.from(leftovers[index]!)),
    );
    relay = new Relay(left!, right!, time.wheel, { idleMs: IDLE_MS, sendMs: SEND_MS }, () => count++);
    relay.begin();
  });
  network.settle();
  return { client, endpoint, relay, finished: () => count };
}

function standings({ client, endpoint }: Rig): string[] {
  return [client.standing, endpoint.standing];
}

describe('bytes', () => {
  test('go both ways, those first that came with the heads', () => {
    const rig = open(undefined, ['early client ', 'early endpoint ']);
    rig.client.send('hello');
    rig.endpoint.send('hi');
    expect([rig.endpoint.received, rig.client.received]).toEqual(['early client hello', 'early endpoint hi']);
    expect([rig.relay.bytesToEndpoint, rig.relay.bytesToClient]).toEqual([18, 17]);
  });

  test.each(['client', 'endpoint'] as const)('are held back when the %s does not read', (slow) => {
    const rig = open();
    const fast = slow === 'client' ? 'endpoint' : 'client';
    rig[slow].hold(1000);
    for (let piece = 0; piece < 100; piece++) rig[fast].send('x'.repeat(1000));
    expect(rig[fast].reading).toBe(false);
    expect(rig[slow].connection.bufferedBytes).toBeLessThan(3000);
    // The other direction is not concerned.
    rig[slow].send('still talking');
    expect(rig[fast].received).toBe('still talking');
    rig[slow].take();
    expect(rig[slow].received).toHaveLength(100_000);
    expect(rig[fast].reading).toBe(true);
  });

  test('are held back when they came with the head, and when it was congested before', () => {
    const early = open((_client, endpoint) => endpoint.hold(), ['x'.repeat(20_000), '']);
    early.client.send('y'.repeat(1000));
    early.client.send('z'.repeat(1000));
    expect(early.client.reading).toBe(false);
    const congested = open((client) => {
      client.hold();
      runTurn(() => client.connection.write(Buffer.from('response'), 0, 8));
    });
    congested.endpoint.send('a'.repeat(1000));
    expect(congested.endpoint.reading).toBe(false);
    congested.client.take();
    expect(congested.client.received).toBe(`response${'a'.repeat(1000)}`);
  });
});

describe('the end', () => {
  test.each(['client', 'endpoint'] as const)(
    'a FIN of the %s ends its direction, and the other goes on',
    (first) => {
      const rig = open();
      const second = first === 'client' ? 'endpoint' : 'client';
      rig[first].send('last').fin();
      expect(rig[second].received).toBe('last');
      expect([rig[second].standing, rig[first].standing]).toEqual(['fin', 'open']);
      rig[second].send('answer');
      expect(rig[first].received).toBe('answer');
      expect(rig.finished()).toBe(0);
      rig[second].fin();
      expect([standings(rig), rig.finished()]).toEqual([['closed', 'closed'], 1]);
      expect(rig.relay.ending).toBe('ended');
      time.advance(2 * IDLE_MS);
      expect(rig.finished()).toBe(1);
    },
  );

  test('a FIN that came before there was a relay counts', () => {
    const rig = open((client) => {
      client.connection.handler = { onData() {}, onEnd() {}, onCongested() {}, onDrain() {}, onClose() {} };
      client.fin();
    });
    expect(rig.endpoint.standing).toBe('fin');
    rig.endpoint.send('bye').fin();
    expect([rig.client.received, standings(rig), rig.finished()]).toEqual(['bye', ['closed', 'closed'], 1]);
  });

  test.each(['client', 'endpoint'] as const)('what the %s has not taken yet reaches it', (slow) => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const rig = open();
      const fast = slow === 'client' ? 'endpoint' : 'client';
      rig[slow].hold(10);
      const steps = [() => rig[fast].send('x'.repeat(5000)).fin(), () => rig[slow].fin()];
      for (const step of order) steps[step]!();
      expect(rig.finished()).toBe(0);
      rig[slow].take();
      expect(rig[slow].received).toHaveLength(5000);
      expect([standings(rig), rig.finished()]).toEqual([['closed', 'closed'], 1]);
    }
  });

  test.each(['client', 'endpoint'] as const)('a reset by the %s is passed on as one', (side) => {
    const rig = open();
    rig[side].reset();
    expect([standings(rig), rig.finished()]).toEqual([['reset', 'reset'], 1]);
    expect(rig.relay.ending).toBe(`${side}-gone`);
  });

  test('a reset takes along what was not taken yet', () => {
    const rig = open();
    rig.client.hold();
    rig.endpoint.send('x'.repeat(100)).fin();
    rig.client.reset();
    expect([standings(rig), rig.finished()]).toEqual([['reset', 'reset'], 1]);
  });
});

describe('time', () => {
  test('without a byte in either direction it is over', () => {
    const rig = open();
    for (let hour = 0; hour < 10; hour++) {
      time.advance(IDLE_MS - 1000);
      (hour % 2 === 0 ? rig.client : rig.endpoint).send('ping');
    }
    expect(rig.finished()).toBe(0);
    time.advance(IDLE_MS - 1);
    expect(rig.finished()).toBe(0);
    time.advance(TICK_MS + 1);
    expect([standings(rig), rig.finished(), rig.relay.ending]).toEqual([['closed', 'closed'], 1, 'idle']);
    expect(time.clock.pending).toBe(0);
  });

  test.each(['client', 'endpoint'] as const)('after a FIN of the %s an hour is five minutes', (side) => {
    const rig = open();
    rig[side].fin();
    const other = side === 'client' ? rig.endpoint : rig.client;
    for (let piece = 0; piece < 10; piece++) {
      time.advance(299_000);
      other.send('still here');
    }
    expect(rig.finished()).toBe(0);
    time.advance(300_000 + TICK_MS);
    expect([rig.finished(), rig.relay.ending]).toEqual([1, 'idle']);
  });

  test('a client that takes nothing for so long, whatever it says', () => {
    const rig = open();
    rig.client.hold();
    rig.endpoint.send('x'.repeat(1000));
    for (let second = 0; second < SEND_MS / 1000; second++) {
      expect(rig.finished()).toBe(0);
      time.advance(1000);
      rig.client.send('still here');
    }
    time.advance(TICK_MS);
    expect([standings(rig), rig.finished(), rig.relay.ending]).toEqual([
      ['reset', 'closed'],
      1,
      'client-stalled',
    ]);
    expect(time.clock.pending).toBe(0);
  });

  test('a client that takes a little has its time again, and one that took all is not timed', () => {
    const rig = open();
    rig.client.hold();
    rig.endpoint.send('x'.repeat(1000));
    for (let round = 0; round < 5; round++) {
      time.advance(SEND_MS - 1000);
      rig.client.take(10);
      rig.client.hold();
    }
    expect(rig.finished()).toBe(0);
    rig.client.take();
    time.advance(SEND_MS * 3);
    expect([rig.finished(), rig.client.received.length]).toEqual([0, 1000]);
  });

  test('an endpoint that takes nothing has as long as one that says nothing', () => {
    const rig = open();
    rig.endpoint.hold();
    rig.client.send('x'.repeat(1000));
    for (let minute = 0; minute < 60; minute++) {
      expect(rig.finished()).toBe(0);
      time.advance(60_000);
      rig.endpoint.send('still here');
    }
    time.advance(TICK_MS);
    expect([standings(rig), rig.finished(), rig.relay.ending]).toEqual([['closed', 'reset'], 1, 'idle']);
  });

  test('asked to end, both get a FIN and a moment; what they still say does not prolong it', () => {
    const rig = open();
    runTurn(() => rig.relay.shutdown());
    expect(standings(rig)).toEqual(['fin', 'fin']);
    for (let second = 0; second < 4; second++) {
      time.advance(1000);
      rig.client.send('I have more');
      rig.endpoint.send('so have I');
    }
    expect(rig.finished()).toBe(0);
    time.advance(1000 + TICK_MS);
    expect([standings(rig), rig.finished(), rig.relay.ending]).toEqual([['closed', 'closed'], 1, 'asked']);
  });

  test('asked to end, it is over as soon as both have ended', () => {
    const rig = open();
    runTurn(() => rig.relay.shutdown());
    runTurn(() => rig.relay.shutdown());
    rig.client.fin();
    rig.endpoint.fin();
    expect([standings(rig), rig.finished()]).toEqual([['closed', 'closed'], 1]);
  });
});

test('whatever the two sides do, nothing is lost or made up before a reset, and the end is told once', () => {
  const step = fc.tuple(
    fc.constantFrom('send', 'send', 'send', 'hold', 'take', 'fin', 'reset', 'wait'),
    fc.boolean(),
    fc.nat(40_000),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: STEPS }), (steps) => {
      network = new MemoryNetwork();
      const rig = open();
      const sides = [rig.client, rig.endpoint] as const;
      const sent = ['', ''];
      const ended = [false, false];
      let reset = false;
      for (const [what, second, size] of steps) {
        const side = second ? 1 : 0;
        const peer = sides[side];
        if (reset) break;
        if (what === 'send' && !ended[side]) {
          const text = String.fromCharCode(97 + (size % 26)).repeat(size);
          sent[side] += text;
          peer.send(text);
        } else if (what === 'hold') {
          peer.hold(size);
        } else if (what === 'take') {
          peer.take(size);
        } else if (what === 'fin' && !ended[side]) {
          ended[side] = true;
          peer.fin();
        } else if (what === 'reset' && size % 4 === 0 && rig.finished() === 0) {
          reset = true;
          peer.reset();
        } else if (what === 'wait') {
          // All of them together are shorter than any time that ends a relay.
          time.advance(size / STEPS);
        }
        expect(sent[0]!.startsWith(rig.endpoint.received)).toBe(true);
        expect(sent[1]!.startsWith(rig.client.received)).toBe(true);
        // What is kept for a slow side is a piece or two.
        expect(rig.client.connection.bufferedBytes).toBeLessThanOrEqual(80_000);
        expect(rig.endpoint.connection.bufferedBytes).toBeLessThanOrEqual(80_000);
      }
      for (const [side, peer] of sides.entries()) {
        peer.take();
        if (!reset && !ended[side]) peer.fin();
      }
      network.settle();
      expect(rig.finished()).toBe(1);
      if (reset) {
        expect(standings(rig)).toEqual(['reset', 'reset']);
      } else {
        expect(rig.endpoint.received === sent[0]).toBe(true);
        expect(rig.client.received === sent[1]).toBe(true);
        expect(standings(rig)).toEqual(['closed', 'closed']);
      }
    }),
    { numRuns: 200 },
  );
});
