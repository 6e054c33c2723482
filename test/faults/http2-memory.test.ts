import { afterAll, beforeAll, describe, expect } from 'bun:test';

import { Flag, FrameType, H2Error, Setting } from '../../src/http/h2-protocol.ts';
import { data, headers, HELLO, request } from '../support/h2-client.ts';
import { frame, settings, u32 } from '../support/h2-frames.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { steadyTest } from '../support/steady-test.ts';
import { ask, dial } from '../support/wire.ts';

const MIB = 1024 * 1024;
const BODY = Buffer.alloc(10 * MIB, 'x');

/** Answers `/large` with 10 MiB and everything else at once. */
async function endpointScript(wire: Parameters<NonNullable<ScriptedEndpoint['script']>>[0]): Promise<void> {
  for (;;) {
    const parsed = await wire.request(60_000);
    if (parsed.kind !== 'message') break;
    const large = parsed.message.target === '/large';
    wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${large ? BODY.length : 2}\r\n\r\n`);
    wire.send(large ? BODY : 'ok');
    wire.forget();
  }
  wire.close();
}

describe('HTTP/2 clients that do not read', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start(endpointScript);
    pointsman = await startPointsman({
      listeners: [
        { name: 'web', address: '127.0.0.1:0', http2: { cleartext: true }, routes: [{ pool: 'web' }] },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    await ask(pointsman.address(), 'GET /warm HTTP/1.1\r\nHost: a.test\r\n\r\n');
  });
  afterAll(async () => {
    await pointsman.stop('SIGKILL');
    await endpoint[Symbol.asyncDispose]();
  });

  steadyTest('a hundred streams with a window of zero take little of what the endpoints have', async () => {
    const before = pointsman.workerRssBytes();
    const client = new H2Wire(await dial(pointsman.address()));
    client.send(HELLO, settings([Setting.InitialWindowSize, 0]));
    for (let id = 1; id < 200; id += 2) client.send(headers(id, request('GET', '/large')));
    await client.until((seen) => seen.filter((line) => line.includes(':status: 200')).length === 100);
    await Bun.sleep(300);
    expect(pointsman.workerRssBytes() - before).toBeLessThan(48 * MIB);
    // Everybody else is served as ever.
    const start = performance.now();
    await ask(pointsman.address(), 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(performance.now() - start).toBeLessThan(300);
    // One that is given its window gets all of it.
    client.send(
      frame(FrameType.WindowUpdate, 0, 0, u32(20 * MIB)),
      frame(FrameType.WindowUpdate, 0, 7, u32(20 * MIB)),
    );
    await client.until(() => client.hasEnded(7));
    expect(client.bodyOf(7).length).toBe(BODY.length);
    client.wire.close();
  });

  steadyTest('floods leave nothing behind, and disturb nobody', async () => {
    const before = pointsman.workerRssBytes();
    const floods = [
      Buffer.concat(Array.from({ length: 20_000 }, () => frame(FrameType.Ping, 0, 0, '12345678'))),
      Buffer.concat(
        Array.from({ length: 20_000 }, (_, index) =>
          Buffer.concat([
            headers(index * 2 + 1, request()),
            frame(FrameType.ResetStream, 0, index * 2 + 1, u32(H2Error.Cancel)),
          ]),
        ),
      ),
      Buffer.concat([
        headers(1, request('POST'), Flag.None),
        ...Array.from({ length: 20_000 }, () => data(1, '')),
      ]),
    ];
    let slowest = 0;
    const bystander = (async () => {
      for (let count = 0; count < 40; count++) {
        const start = performance.now();
        await ask(pointsman.address(), 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n');
        slowest = Math.max(slowest, performance.now() - start);
        await Bun.sleep(10);
      }
    })();
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(
        floods.map(async (flood) => {
          const client = new H2Wire(await dial(pointsman.address()));
          client.send(HELLO, flood);
          return client;
        }),
      );
      await Promise.all(clients.map((client) => client.untilEnd()));
      for (const client of clients) client.wire.close();
    }
    await bystander;
    expect(slowest).toBeLessThan(1000);
    expect(pointsman.workerRssBytes() - before).toBeLessThan(64 * MIB);
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    for (const reason of ['ping_flood', 'rapid_reset', 'empty_data_flood'])
      expect(metrics).toContain(`pointsman_http2_abuse_total{listener="web",reason="${reason}"} 10`);
    expect(metrics).toContain('pointsman_http2_open_streams{listener="web"} 0');
  });
});
