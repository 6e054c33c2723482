import { describe, expect, test } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { dial } from '../support/wire.ts';

const CHUNKED_ANSWER = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Bytes whose place shows in them, so that a loss, a repetition or a swap is seen. */
function pattern(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index, 2_654_435_761);
  return Buffer.from(words.buffer, 0, length);
}

function chunked(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const piece = body.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

describe('streaming', () => {
  test('a response is passed on piece by piece, not kept until its end', async () => {
    const arrived = Promise.withResolvers<void>();
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(`${CHUNKED_ANSWER}6\r\ndata 1\r\n`);
      await arrived.promise;
      wire.send('6\r\ndata 2\r\n0\r\n\r\n');
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/events'));
    await client.until(() => client.text.includes('data 1'));
    expect(client.text.includes('data 2')).toBe(false);
    arrived.resolve();
    expect((await client.answer()).body.toString()).toBe('data 1data 2');
    client.close();
  });

  test('a request is passed on piece by piece, not kept until its end', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('POST /upload HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
    while (endpoint.wires.length === 0) await Bun.sleep(5);
    const peer = endpoint.wires[0]!;
    await peer.until(() => peer.text.includes('first'));
    client.send('6\r\nsecond\r\n0\r\n\r\n');
    expect((await client.answer()).body.toString()).toBe('POST /upload 11');
    client.close();
  });

  test('an endpoint may answer while the body still comes, both ways at once', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.head();
      wire.send(CHUNKED_ANSWER);
      for (let turn = 1; turn <= 3; turn++) {
        await wire.until(() => wire.text.includes(`ping ${turn}`));
        wire.send(`6\r\npong ${turn}\r\n`);
      }
      await wire.request();
      wire.send('0\r\n\r\n');
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('POST /talk HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let turn = 1; turn <= 3; turn++) {
      client.send(`6\r\nping ${turn}\r\n`);
      await client.until(() => client.text.includes(`pong ${turn}`));
    }
    client.send('0\r\n\r\n');
    expect((await client.answer()).body.toString()).toBe('pong 1pong 2pong 3');
    client.close();
  });

  for (const size of [1, 16_383, 65_536, 65_537, 5_000_001]) {
    test(`a body of ${size} bytes comes back whole, by length and in chunks`, async () => {
      const body = pattern(size);
      await using endpoint = await ScriptedEndpoint.start(async (wire) => {
        for (;;) {
          const parsed = await wire.request(20_000);
          if (parsed.kind !== 'message') return;
          const { body: taken, target } = parsed.message;
          if (target === '/chunks')
            wire.send(Buffer.concat([Buffer.from(CHUNKED_ANSWER), chunked(taken, [1, 70_001, 3, 4096])]));
          else
            wire.send(
              Buffer.concat([
                Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${taken.length}\r\n\r\n`),
                taken,
              ]),
            );
        }
      });
      await using pointsman = await startFront([endpoint]);
      const client = await dial(pointsman.address());
      for (const target of ['/length', '/chunks']) {
        client.send(`POST ${target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${size}\r\n\r\n`);
        client.send(body);
        expect((await client.answer('POST', 20_000)).body.equals(body)).toBe(true);
        client.send(`POST ${target} HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n`);
        client.send(chunked(body, [65_536, 1, 2, 16_384]));
        expect((await client.answer('POST', 20_000)).body.equals(body)).toBe(true);
        client.forget();
      }
      client.close();
    }, 60_000);
  }
});

describe('responses without a body', () => {
  test('HEAD keeps the length and sends nothing, and the connection goes on', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request();
        if (parsed.kind !== 'message') return;
        wire.send(
          parsed.message.method === 'HEAD'
            ? 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'
            : plainAnswer('get'),
        );
      }
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('HEAD /x HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(valueOf(await client.answer('HEAD'), 'content-length')).toBe('1234');
    client.send(get('/x'));
    expect((await client.answer()).body.toString()).toBe('get');
    expect(endpoint.wires.length).toBe(1);
    client.close();
  });

  for (const status of ['204 No Content', '304 Not Modified']) {
    test(`${status} has no body and keeps the connection`, async () => {
      await using endpoint = await ScriptedEndpoint.start(async (wire) => {
        for (;;) {
          if ((await wire.request()).kind !== 'message') return;
          wire.send(`HTTP/1.1 ${status}\r\nETag: "a"\r\n\r\n`);
        }
      });
      await using pointsman = await startFront([endpoint]);
      const client = await dial(pointsman.address());
      for (let round = 0; round < 3; round++) {
        client.send(get('/x'));
        const answer = await client.answer();
        expect(`${answer.status}`).toBe(status.slice(0, 3));
        expect(valueOf(answer, 'etag')).toBe('"a"');
        expect(valueOf(answer, 'transfer-encoding')).toBeUndefined();
      }
      expect(endpoint.wires.length).toBe(1);
      client.close();
    });
  }
});
