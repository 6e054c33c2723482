import { describe, expect, test } from 'bun:test';

import { data, headers, request } from '../../test/support/h2-client.ts';
import { frame, u32 } from '../../test/support/h2-frames.ts';
import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { MemoryH2Client } from '../../test/support/memory-h2-client.ts';
import { MemoryProxy, OK } from '../../test/support/memory-proxy.ts';
import { Flag, FrameType, H2Error } from '../http/h2-protocol.ts';
import { exchangesWaiting } from '../net/gathering.ts';
import { runTurn } from '../net/turn.ts';
import { type Random, randomBelow, seededRandom } from '../util/random.ts';

/*
 * Pauses of the poller are decided by how many streams of HTTP/2 wait for their answer (src/net/gathering.ts). One that was begun and never
 * ended would count for the rest of the process, and make it pause for nothing.
 */

const SEEDS = 150;
const STEPS = 60;
const CONNECT = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'http'],
  [':authority', 'a.test'],
  [':path', '/'],
  ['sec-websocket-version', '13'],
] as const;

/** A client with the streams that it has opened. */
interface Client {
  readonly h2: MemoryH2Client;
  next: number;
}

/** Everything that may happen to streams, in an order that the seed decides. */
class Weather {
  readonly proxy = new MemoryProxy({
    listener: {
      http2: { cleartext: true, maxConcurrentStreams: 8 },
      timeouts: { requestBody: '1s', idle: '5s' },
    },
    pool: { timeouts: { response: '2s' }, queue: { size: 2, timeout: '1s' } },
  });
  readonly #random: Random;
  readonly #clients: Client[] = [];
  readonly #endpoints: MemoryPeer[] = [];
  /** What was done. */
  readonly done = new Set<string>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  #one<T>(from: readonly T[]): T | undefined {
    return from[randomBelow(this.#random, Math.max(1, from.length))];
  }

  #ask(client: Client, ...more: readonly Buffer[]): void {
    client.h2.send(...more);
    client.next += 2;
  }

  /** An id that the client has used, most likely. */
  #stream(client: Client): number {
    return 1 + 2 * randomBelow(this.#random, Math.max(1, (client.next - 1) / 2));
  }

  readonly #clientSteps: Readonly<Record<string, (client: Client) => void>> = {
    get: (client) => this.#ask(client, headers(client.next, request())),
    burst: (client) => {
      for (let count = 0; count < 12; count++) this.#ask(client, headers(client.next, request()));
    },
    'half a POST': (client) =>
      this.#ask(client, headers(client.next, request('POST'), Flag.None), data(client.next, 'half')),
    'the rest of a POST': (client) => void client.h2.send(data(this.#stream(client), 'rest', true)),
    tunnel: (client) => this.#ask(client, headers(client.next, CONNECT, Flag.None)),
    reset: (client) =>
      void client.h2.send(frame(FrameType.ResetStream, 0, this.#stream(client), u32(H2Error.Cancel))),
    'a length that is wrong': (client) =>
      this.#ask(
        client,
        headers(client.next, request('POST', '/', [['content-length', '9']]), Flag.None),
        data(client.next, 'x', true),
      ),
    'an error of the connection': (client) => void client.h2.send(frame(FrameType.Ping, 0, 0, 'short')),
    leave: (client) => void client.h2.peer.reset(),
    fin: (client) => void client.h2.peer.fin(),
    'take nothing': (client) => void client.h2.peer.hold(0),
    'take everything': (client) => void client.h2.peer.take(),
  };

  readonly #endpointSteps: Readonly<Record<string, (endpoint: MemoryPeer) => void>> = {
    answer: (endpoint) => void endpoint.send(OK),
    'half an answer': (endpoint) => void endpoint.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    interim: (endpoint) => void endpoint.send('HTTP/1.1 103 Early Hints\r\n\r\n'),
    nonsense: (endpoint) => void endpoint.send('nonsense\r\n\r\n'),
    die: (endpoint) => void endpoint.reset(),
    end: (endpoint) => void endpoint.fin(),
  };

  step(): void {
    const { proxy } = this;
    const kinds = [
      'client',
      'client',
      'client',
      'endpoint',
      'endpoint',
      'accept',
      'refuse',
      'time',
      'new',
    ] as const;
    const kind = this.#one(kinds)!;
    const client = this.#one(this.#clients);
    const endpoint = this.#one(this.#endpoints);
    if (kind === 'new' || this.#clients.length === 0)
      this.#clients.push({ h2: new MemoryH2Client(proxy), next: 1 });
    else if (kind === 'client' && client!.h2.peer.standing === 'open') this.#do(this.#clientSteps, client!);
    else if (kind === 'endpoint' && endpoint !== undefined) this.#do(this.#endpointSteps, endpoint);
    else if (kind === 'accept' && proxy.network.pendingDials.length > 0)
      this.#endpoints.push(proxy.acceptDial());
    else if (kind === 'refuse') proxy.network.pendingDials[0]?.fail();
    else if (kind === 'time') proxy.advance(randomBelow(this.#random, 1500));
  }

  #do<T>(steps: Readonly<Record<string, (on: T) => void>>, on: T): void {
    const name = this.#one(Object.keys(steps))!;
    this.done.add(name);
    steps[name]!(on);
  }

  /** As at the end of a process: drained, then cut. */
  end(): void {
    runTurn(() => this.proxy.listener.drain());
    this.proxy.advance(10_000);
    runTurn(() => void this.proxy.listener.cut());
    for (const { h2 } of this.#clients) h2.peer.reset();
    this.proxy.advance(10_000);
    this.proxy.restore();
  }
}

describe('streams that wait for their answer', () => {
  test('are none when all have ended, whatever ended them', () => {
    // Other tests of this process may have left some.
    const before = exchangesWaiting();
    const waiting = (): number => exchangesWaiting() - before;
    const done = new Set<string>();
    let most = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const weather = new Weather(seed);
      for (let step = 0; step < STEPS; step++) {
        weather.step();
        expect(waiting()).toBeGreaterThanOrEqual(0);
        most = Math.max(most, waiting());
      }
      weather.end();
      expect({ seed, waiting: waiting() }).toEqual({ seed, waiting: 0 });
      for (const name of weather.done) done.add(name);
    }
    // Everything was tried, and it was worth something.
    expect(done.size).toBe(18);
    expect(most).toBeGreaterThan(5);
  });
});
