import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { type CloseCause, type Connection, type ConnectionHandler, MAX_PIECE } from './connection.ts';
import { onDefect } from './defects.ts';
import { inTurn, runTurn } from './turn.ts';

/** Notes what a connection tells. */
class Notes implements ConnectionHandler {
  readonly events: string[] = [];
  received = '';
  onNote: (event: string) => void = () => {};

  #note(event: string): void {
    this.events.push(event);
    this.onNote(event);
  }

  onData(bytes: Buffer): void {
    this.received += bytes.latin1Slice();
    this.#note('data');
  }
  onEnd(): void {
    this.#note('end');
  }
  onCongested(): void {
    this.#note('congested');
  }
  onDrain(): void {
    this.#note('drain');
  }
  onClose(cause: CloseCause): void {
    this.#note(`close ${cause}`);
  }
}

let network: MemoryNetwork;
let defects: unknown[];

beforeEach(() => {
  network = new MemoryNetwork();
  defects = [];
  onDefect((error) => defects.push(error));
});
afterEach(() => {
  onDefect((error) => {
    throw error;
  });
});

function open(): { peer: MemoryPeer; connection: Connection; notes: Notes } {
  const peer = network.peer();
  const notes = new Notes();
  peer.connection.handler = notes;
  return { peer, connection: peer.connection, notes };
}

function write(connection: Connection, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  connection.write(bytes, 0, bytes.length);
  // The caller's memory is the caller's again.
  bytes.fill('?');
}

describe('what is written', () => {
  test('in one turn leaves as one piece when the turn ends', () => {
    const { peer, connection } = open();
    runTurn(() => {
      connection.open(10).text('head ');
      write(connection, 'body ');
      connection.open(10).line(Buffer.from('end'));
      expect(peer.received).toBe('');
    });
    expect(peer.writes.map(String)).toEqual(['head body end']);
  });

  test('a head and the large body behind it are not copied together, and leave together', () => {
    const { peer, connection } = open();
    const body = 'x'.repeat(MAX_PIECE);
    runTurn(() => {
      connection.open(10).text('head ');
      write(connection, body);
    });
    expect(peer.writes.map(String)).toEqual(['head ', body]);
    expect(peer.breaths).toBe(1);
    runTurn(() => {
      write(connection, 'end');
    });
    expect(peer.breaths).toBe(2);
  });

  test('outside of a turn leaves in a microtask', async () => {
    const { peer, connection } = open();
    write(connection, 'one');
    write(connection, ' two');
    expect(peer.received).toBe('');
    await Promise.resolve();
    expect(peer.received).toBe('one two');
  });

  test('leaves at once with flush', () => {
    const { peer, connection } = open();
    runTurn(() => {
      write(connection, 'one');
      expect(connection.flush()).toBe(true);
      expect(peer.received).toBe('one');
      peer.hold();
      write(connection, 'two');
      expect(connection.flush()).toBe(false);
    });
  });

  test('to several connections in turn stays apart and in order', () => {
    const all = Array.from({ length: 3 }, open);
    runTurn(() => {
      for (let round = 0; round < 20; round++) {
        for (const [index, { connection }] of all.entries()) write(connection, `${index}.${round} `);
      }
    });
    const rounds = Array.from({ length: 20 }, (_, round) => round);
    expect(all.map(({ peer }) => peer.received)).toEqual(
      all.map((_, index) => rounds.map((round) => `${index}.${round} `).join('')),
    );
  });

  test('in large pieces keeps its place among small ones', () => {
    const { peer, connection } = open();
    const large = 'L'.repeat(40_000);
    runTurn(() => {
      write(connection, 'a');
      write(connection, large);
      write(connection, 'b');
      write(connection, large);
      write(connection, 'c');
    });
    expect(peer.received).toBe(`a${large}b${large}c`);
  });

  test('may be larger than the buffer in which it is put together', () => {
    const { peer, connection } = open();
    const line = `${'x'.repeat(998)}\r\n`;
    const lines = Math.ceil((MAX_PIECE * 3) / line.length);
    runTurn(() => {
      write(connection, 'before ');
      const out = connection.open(lines * line.length);
      for (let index = 0; index < lines; index++) out.text(line);
    });
    expect(peer.received === `before ${line.repeat(lines)}`).toBe(true);
    runTurn(() => write(connection, 'after'));
    expect(peer.received).toEndWith('after');
  });

  test('in answer to congestion goes where it belongs', () => {
    const one = open();
    const two = open();
    const three = open();
    one.peer.hold();
    one.notes.onNote = () => write(three.connection, 'for three');
    runTurn(() => {
      write(one.connection, 'for one');
      // Another connection needs the buffer: what waits for the first is written, and not taken.
      write(two.connection, 'for two');
    });
    expect([one.peer.received, two.peer.received, three.peer.received]).toEqual(['', 'for two', 'for three']);
  });
});

describe('a peer that does not take everything', () => {
  test('is told of once, gets the rest in order, and the end of it is told once', () => {
    const { peer, connection, notes } = open();
    peer.hold(3);
    runTurn(() => write(connection, 'abcdef'));
    expect([peer.received, connection.bufferedBytes, notes.events]).toEqual(['abc', 3, ['congested']]);
    runTurn(() => write(connection, 'ghi'));
    expect([peer.received, connection.bufferedBytes, notes.events]).toEqual(['abc', 6, ['congested']]);
    peer.take(4);
    expect([peer.received, connection.bufferedBytes, notes.events]).toEqual(['abcdefg', 2, ['congested']]);
    peer.take();
    expect([peer.received, connection.bufferedBytes]).toEqual(['abcdefghi', 0]);
    expect(notes.events).toEqual(['congested', 'drain']);
  });

  test('whatever is written and taken, nothing is lost, doubled or reordered', () => {
    const step = fc.oneof(
      fc.record({ write: fc.integer({ min: 0, max: 40_000 }) }),
      fc.record({ take: fc.integer({ min: 0, max: 30_000 }) }),
      fc.constant({ turn: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { peer, connection, notes } = open();
        peer.hold();
        let sent = 0;
        let at = 0;
        const run = (): void =>
          runTurn(() => {
            for (; at < steps.length; at++) {
              const now = steps[at]!;
              if ('write' in now) {
                const bytes = Buffer.from(
                  Array.from({ length: now.write }, (_, index) => (sent + index) % 251),
                );
                sent += now.write;
                connection.write(bytes, 0, bytes.length);
              } else {
                return;
              }
            }
          });
        for (; at < steps.length; at++) {
          run();
          const now = steps[at];
          if (now !== undefined && 'take' in now) peer.take(now.take);
          expect(connection.bufferedBytes).toBe(sent - Buffer.concat(peer.writes).length);
        }
        peer.take();
        const received = Buffer.concat(peer.writes);
        expect(received.length).toBe(sent);
        expect(received.every((byte, index) => byte === index % 251)).toBe(true);
        expect(notes.events).toEqual(
          notes.events.map((_, index) => (index % 2 === 0 ? 'congested' : 'drain')),
        );
        expect(notes.events.length % 2).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the end', () => {
  test('shutdown sends FIN behind everything, and reading goes on', () => {
    const { peer, connection, notes } = open();
    peer.hold(2);
    runTurn(() => {
      write(connection, 'abcd');
      connection.shutdown();
    });
    expect([peer.received, peer.standing]).toEqual(['ab', 'open']);
    peer.take();
    expect([peer.received, peer.standing]).toEqual(['abcd', 'fin']);
    peer.send('more');
    expect(notes.received).toBe('more');
  });

  test('close writes what was collected, and tells only who keeps count', () => {
    const { peer, connection, notes } = open();
    let released = 0;
    peer.connection.keeper = { released: () => released++ };
    runTurn(() => {
      write(connection, 'last words');
      connection.close();
      expect(connection.closed).toBe(true);
      connection.close();
      connection.reset();
      connection.shutdown();
    });
    peer.send('too late');
    expect([peer.received, peer.standing, notes.events, released]).toEqual(['last words', 'closed', [], 1]);
  });

  test('close gives up what the peer does not take', () => {
    const { peer, connection } = open();
    peer.hold(4);
    runTurn(() => {
      write(connection, 'last words');
      connection.close();
    });
    peer.take();
    expect([peer.received, connection.bufferedBytes]).toEqual(['last', 0]);
  });

  test('finish writes what was collected and closes', () => {
    const { peer, connection } = open();
    runTurn(() => {
      write(connection, 'last words');
      expect([connection.finish(), connection.closed]).toEqual([true, true]);
      expect(connection.finish()).toBe(true);
    });
    expect([peer.received, peer.standing]).toEqual(['last words', 'closed']);
  });

  test('finish leaves open what the peer does not take, and what follows is delivered', () => {
    const { peer, connection, notes } = open();
    peer.hold(4);
    runTurn(() => {
      write(connection, 'last words');
      expect([connection.finish(), connection.closed]).toEqual([false, false]);
      connection.shutdown();
    });
    expect([peer.received, notes.events]).toEqual(['last', ['congested']]);
    peer.take();
    expect([peer.received, peer.standing]).toEqual(['last words', 'fin']);
  });

  test('reset takes back what was collected, for that connection alone', () => {
    const one = open();
    const two = open();
    runTurn(() => {
      write(two.connection, 'stays');
      write(one.connection, 'goes');
      one.connection.reset();
    });
    expect([one.peer.received, one.peer.standing]).toEqual(['', 'reset']);
    expect(two.peer.received).toBe('stays');
  });

  test('what is written afterwards is lost, and harms nobody', () => {
    const one = open();
    const two = open();
    runTurn(() => {
      one.connection.close();
      write(one.connection, 'nobody hears this');
      write(two.connection, 'hello');
      write(one.connection, 'x'.repeat(50_000));
    });
    expect([one.peer.received, two.peer.received]).toEqual(['', 'hello']);
    expect(one.connection.bufferedBytes).toBe(0);
  });

  test('a peer that resets is told once; output that was collected for it is dropped', () => {
    const one = open();
    const two = open();
    runTurn(() => {
      write(one.connection, 'for one');
      one.peer.reset();
      write(two.connection, 'for two');
    });
    one.peer.send('x').fin();
    expect([one.notes.events, one.peer.received, two.peer.received]).toEqual([
      ['close reset'],
      '',
      'for two',
    ]);
    expect(one.connection.closed).toBe(true);
  });

  test('FIN is told once, in its place', () => {
    const { peer, connection, notes } = open();
    peer.send('a').fin().fin();
    expect([notes.events, connection.readEnded]).toEqual([['data', 'end'], true]);
  });
});

test('a connection that is paused hears nothing, FIN included, until it is resumed', () => {
  const { peer, connection, notes } = open();
  connection.pause();
  connection.pause();
  peer.send('a').send('b').fin();
  expect(notes.events).toEqual([]);
  connection.resume();
  connection.resume();
  network.settle();
  expect([notes.received, notes.events]).toEqual(['ab', ['data', 'data', 'end']]);
});

describe('a defect in whoever serves a connection', () => {
  test.each([
    ['data', (peer: MemoryPeer) => peer.send('x')],
    ['end', (peer: MemoryPeer) => peer.fin()],
    ['drain', (peer: MemoryPeer) => peer.take()],
  ] as const)('in %s: that connection is reset, the others live on', (event, cause) => {
    const one = open();
    const two = open();
    one.peer.hold();
    runTurn(() => write(one.connection, 'x'));
    one.notes.onNote = (now) => {
      if (now !== event) return;
      write(two.connection, 'written before it broke');
      throw new Error('broken');
    };
    cause(one.peer);
    expect(String(defects)).toBe('Error: broken');
    expect(one.notes.events.slice(1)).toEqual([event, 'close error']);
    expect([one.peer.standing, two.peer.standing]).toEqual(['reset', 'open']);
    expect(two.peer.received).toBe('written before it broke');
    expect(inTurn()).toBe(false);
  });

  test('ends the turn even when nobody is there to be told', () => {
    const one = open();
    const two = open();
    onDefect((error) => {
      throw error;
    });
    one.notes.onNote = () => {
      throw new Error('broken');
    };
    expect(() => one.peer.connection.onBytes(Buffer.from('x'))).toThrow('broken');
    expect(inTurn()).toBe(false);
    runTurn(() => write(two.connection, 'alive'));
    expect(two.peer.received).toBe('alive');
  });

  test('when it is released: the turn ends', () => {
    const one = open();
    one.peer.connection.keeper = {
      released() {
        throw new Error('broken');
      },
    };
    one.peer.reset();
    expect(String(defects)).toBe('Error: broken');
    expect(inTurn()).toBe(false);
  });
});
