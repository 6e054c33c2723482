import { describe, expect, test } from 'bun:test';

import { startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { dial } from '../support/wire.ts';

const UPGRADE =
  'GET /socket?x=1 HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n\r\n';
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

describe('tunnels, byte by byte', () => {
  test('the endpoint sees the upgrade and its fields', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(SWITCHED);
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(UPGRADE);
    const answer = await client.answer();
    expect(answer.status).toBe(101);
    expect(valueOf(answer, 'sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(valueOf(answer, 'upgrade')).toBe('websocket');
    expect(valueOf(answer, 'connection')).toMatch(/^upgrade$/i);
    const [request] = endpoint.requests();
    expect(request?.target).toBe('/socket?x=1');
    if (request === undefined) return;
    expect(valueOf(request, 'upgrade')).toMatch(/^websocket$/i);
    expect(valueOf(request, 'connection')).toMatch(/^upgrade$/i);
    expect(valueOf(request, 'sec-websocket-protocol')).toBe('chat');
    expect(valueOf(request, 'x-forwarded-for')).toBe('127.0.0.1');
    client.close();
  });

  test('bytes in one segment with the 101 arrive', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(`${SWITCHED}hello from the endpoint`);
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(`${UPGRADE}hello from the client`);
    expect((await client.answer()).status).toBe(101);
    await client.until(() => client.text.endsWith('hello from the endpoint'));
    expect(client.text.slice(client.cursor)).toBe('hello from the endpoint');
    const peer = endpoint.wires[0]!;
    await peer.until(() => peer.text.endsWith('hello from the client'));
    expect(peer.text.slice(peer.cursor)).toBe('hello from the client');
    client.close();
  });

  test('a half-close passes in each direction, and the other stays open', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(SWITCHED);
      await wire.untilEnd();
      wire.send('after your end');
      wire.halfClose();
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(UPGRADE);
    await client.answer();
    client.send('last words');
    client.halfClose();
    await client.untilEnd();
    expect(client.ending).toBe('fin');
    expect(client.text.slice(client.cursor)).toBe('after your end');
    expect(endpoint.wires[0]?.text.endsWith('last words')).toBe(true);
  });

  test('a half-close of the endpoint leaves the client its voice', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(`${SWITCHED}bye`);
      wire.halfClose();
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(UPGRADE);
    await client.answer();
    await client.untilEnd();
    client.send('still here');
    const peer = endpoint.wires[0]!;
    await peer.until(() => peer.text.endsWith('still here'));
    client.close();
    await peer.untilEnd();
  });

  test('a reset of one side ends the other', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(SWITCHED);
    });
    await using pointsman = await startFront([endpoint]);
    for (const side of ['client', 'endpoint'] as const) {
      const client = await dial(pointsman.address());
      client.send(UPGRADE);
      await client.answer();
      const peer = endpoint.wires.at(-1)!;
      (side === 'client' ? client : peer).reset();
      await (side === 'client' ? peer : client).untilEnd();
      client.close();
    }
  });

  test('a tunnel moves 32 MiB each way at once, whole', async () => {
    const size = 32 * 1024 * 1024;
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(SWITCHED);
      wire.send(Buffer.alloc(size, 'e'));
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(UPGRADE);
    await client.answer();
    client.send(Buffer.alloc(size, 'c'));
    const peer = endpoint.wires[0]!;
    await client.until(() => client.receivedBytes - client.cursor >= size, 20_000);
    await peer.until(() => peer.receivedBytes - peer.cursor >= size, 20_000);
    expect(client.received.subarray(client.cursor).equals(Buffer.alloc(size, 'e'))).toBe(true);
    client.close();
  }, 40_000);

  test('a refused upgrade is an ordinary answer, and the connection goes on', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request();
        if (parsed.kind !== 'message') return;
        wire.send(plainAnswer('no tunnel here', '', '403 Forbidden'));
      }
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    for (let round = 0; round < 2; round++) {
      client.send(UPGRADE);
      const answer = await client.answer();
      expect(answer.status).toBe(403);
      expect(answer.body.toString()).toBe('no tunnel here');
      if (valueOf(answer, 'connection') === 'close') return;
    }
    client.close();
  });

  test('the connection of a tunnel is never used for another request', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      const parsed = await wire.request();
      const upgrade = parsed.kind === 'message' && valueOf(parsed.message, 'upgrade') !== undefined;
      wire.send(upgrade ? SWITCHED : plainAnswer('plain'));
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(UPGRADE);
    await client.answer();
    const other = await dial(pointsman.address());
    other.send('GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect((await other.answer()).body.toString()).toBe('plain');
    expect(endpoint.wires.length).toBe(2);
    client.close();
    other.close();
  });
});
