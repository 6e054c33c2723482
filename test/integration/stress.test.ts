import { describe, expect, test } from 'bun:test';

import { randomBelow, type Random, seededRandom } from '../../src/util/random.ts';
import { startFront } from '../support/front.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { dial, type Wire } from '../support/wire.ts';

const CLIENTS = 40;
const ROUNDS = 12;

/** Sizes that lie around the buffers of everybody concerned. */
const SIZES = [0, 1, 2, 100, 4095, 4096, 16_383, 16_384, 16_385, 65_535, 65_536, 131_073, 300_000];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[randomBelow(random, items.length)]!;
}

function chunked(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const piece = body.subarray(at, at + 1 + randomBelow(random, 40_000));
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function message(random: Random, startLine: string, lines: string, body: Buffer): Buffer {
  const useChunks = randomBelow(random, 2) === 0;
  const framing = useChunks ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const head = Buffer.from(`${startLine}\r\n${lines}${framing}\r\n\r\n`);
  return Buffer.concat([head, useChunks ? chunked(random, body) : body]);
}

/** Sends in pieces of any size, now and then with a rest between. */
async function sendInPieces(random: Random, wire: Wire, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + randomBelow(random, randomBelow(random, 4) === 0 ? 50 : 80_000);
    wire.send(bytes.subarray(at, end));
    at = end;
    if (randomBelow(random, 8) === 0) await Bun.sleep(randomBelow(random, 4));
  }
}

/** Sends every body back, framed in some other way. */
function mirror(seed: number): Promise<ScriptedEndpoint> {
  const random = seededRandom(seed);
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      const { body } = parsed.message;
      if (randomBelow(random, 4) === 0) await Bun.sleep(randomBelow(random, 10));
      const last = randomBelow(random, 10) === 0;
      const lines = `X-Id: ${valueOf(parsed.message, 'x-id')}\r\n${last ? 'Connection: close\r\n' : ''}`;
      await sendInPieces(random, wire, message(random, 'HTTP/1.1 200 OK', lines, body));
      if (last) break;
    }
    wire.halfClose();
  });
}

/** One client: bursts of pipelined requests, and every answer compared with what was sent. */
async function converse(pointsman: Pointsman, client: number): Promise<string[]> {
  const random = seededRandom(client);
  const wire = await dial(pointsman.address());
  const faults: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const requests = Array.from({ length: 1 + randomBelow(random, 3) }, (_, index) => ({
      id: `${client}-${round}-${index}`,
      body: Buffer.alloc(pick(random, SIZES), `${client}.${round}.${index};`),
    }));
    const bytes = Buffer.concat(
      requests.map(({ id, body }) =>
        message(random, 'PUT /mirror HTTP/1.1', `Host: a.test\r\nX-Id: ${id}\r\n`, body),
      ),
    );
    const sending = sendInPieces(random, wire, bytes);
    for (const { id, body } of requests) {
      const answer: HttpMessage = await wire.answer('PUT', 20_000);
      if (answer.status !== 200 || valueOf(answer, 'x-id') !== id || !answer.body.equals(body)) {
        faults.push(
          `${id}: ${answer.status} ${valueOf(answer, 'x-id')} ${answer.body.length} of ${body.length}`,
        );
      }
    }
    await sending;
    wire.forget();
  }
  wire.close();
  return faults;
}

describe('many conversations at once', () => {
  test(`${CLIENTS} clients with pipelined bodies of every size and framing get back what they sent`, async () => {
    const endpoints = await Promise.all([1, 2, 3].map((seed) => mirror(seed)));
    await using pointsman = await startFront(endpoints, { pool: { policy: 'random-two' } });
    const faults = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => converse(pointsman, client)),
    );
    expect(faults.flat()).toEqual([]);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  }, 60_000);
});
