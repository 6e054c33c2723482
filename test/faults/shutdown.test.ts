import { describe, expect } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { failed, Load } from '../support/load.ts';
import { startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { steadyTest } from '../support/steady-test.ts';
import { valueOf } from '../support/strict-fields.ts';
import { dial } from '../support/wire.ts';

function slowEndpoint(workMs: number): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') return;
      await Bun.sleep(workMs);
      wire.send(plainAnswer('finished', `X-Id: ${valueOf(parsed.message, 'x-id') ?? ''}\r\n`));
    }
  });
}

describe('stopping', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    steadyTest(`${signal} lets requests in flight finish, and ends with 0`, async () => {
      await using endpoint = await slowEndpoint(700);
      const pointsman = await startFront([endpoint]);
      const clients = await Promise.all([1, 2, 3].map(() => dial(pointsman.address())));
      for (const client of clients) client.send(get('/x'));
      await untilTrue('the requests', () => endpoint.requests().length === clients.length);
      const start = performance.now();
      const ended = pointsman.stop(signal);
      for (const client of clients) {
        const answer = await client.answer();
        expect(answer.body.toString()).toBe('finished');
        expect(valueOf(answer, 'connection')).toBe('close');
        await client.untilEnd();
      }
      expect(await ended).toBe(0);
      expect(performance.now() - start).toBeLessThan(2500);
    });
  }

  steadyTest('idle connections do not hold it up', async () => {
    await using endpoint = await slowEndpoint(1);
    const pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    await client.answer();
    const silent = await dial(pointsman.address());
    const start = performance.now();
    expect(await pointsman.stop()).toBe(0);
    expect(performance.now() - start).toBeLessThan(1500);
    client.close();
    silent.close();
  });

  steadyTest('new connections are refused', async () => {
    await using endpoint = await slowEndpoint(800);
    const pointsman = await startFront([endpoint]);
    const address = pointsman.address();
    const client = await dial(address);
    client.send(get('/x'));
    await untilTrue('the request', () => endpoint.requests().length === 1);
    const ended = pointsman.stop();
    await pointsman.line('stopping');
    const late = await dial(address).then(
      async (wire) => {
        wire.send(get('/late'));
        await wire.untilEnd();
        return wire.text;
      },
      () => 'refused',
    );
    expect(late).not.toContain(' 200 ');
    expect((await client.answer()).status).toBe(200);
    expect(await ended).toBe(0);
  });

  steadyTest('the deadline cuts what does not end', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
    });
    const pointsman = await startPointsman({
      shutdown: { deadline: '600ms' },
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    await untilTrue('the request', () => endpoint.requests().length === 1);
    const start = performance.now();
    await pointsman.stop();
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(500);
    expect(took).toBeLessThan(1800);
    await client.untilEnd();
  });

  steadyTest('a tunnel lives until the deadline', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const pointsman = await startPointsman({
      shutdown: { deadline: '900ms' },
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    const client = await dial(pointsman.address());
    client.send(get('/tunnel', 'Connection: Upgrade', 'Upgrade: websocket'));
    expect((await client.answer()).status).toBe(101);
    const ended = pointsman.stop();
    await Bun.sleep(400);
    client.send('still open');
    const peer = endpoint.wires[0]!;
    await peer.until(() => peer.text.endsWith('still open'));
    await client.untilEnd();
    await peer.untilEnd();
    await ended;
  });

  steadyTest('a second signal ends it at once', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
    });
    const pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    await untilTrue('the request', () => endpoint.requests().length === 1);
    const start = performance.now();
    pointsman.signal('SIGTERM');
    await pointsman.line('stopping');
    pointsman.signal('SIGTERM');
    await pointsman.exited(5000);
    expect(performance.now() - start).toBeLessThan(1500);
    client.close();
  });

  steadyTest('under load every answer that was begun is whole', async () => {
    await using endpoint = await slowEndpoint(60);
    const pointsman = await startFront([endpoint], {
      pool: { endpoints: [{ address: endpoint.name, name: 'a' }] },
    });
    const load = new Load({
      address: pointsman.address(),
      ratePerSecond: 150,
      freshShare: 0,
      timeoutMs: 3000,
    });
    await Bun.sleep(800);
    const stoppedMs = load.elapsedMs;
    const ended = pointsman.stop();
    await Bun.sleep(100);
    const shots = await load.stop();
    expect(await ended).toBe(0);
    const before = shots.filter(({ startedMs }) => startedMs < stoppedMs - 5);
    expect(before.length).toBeGreaterThan(80);
    expect(failed(before)).toEqual([]);
  });

  steadyTest('readyz fails during the delay while requests are still served', async () => {
    await using endpoint = await slowEndpoint(1);
    const pointsman = await startPointsman({
      shutdown: { delay: '800ms' },
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    expect((await fetch(`${pointsman.admin}/readyz`)).status).toBe(200);
    const ended = pointsman.stop();
    await pointsman.line('stopping');
    expect((await fetch(`${pointsman.admin}/readyz`)).status).toBe(503);
    expect((await fetch(`${pointsman.admin}/healthz`)).status).toBe(200);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    expect((await client.answer()).status).toBe(200);
    expect(await ended).toBe(0);
  });
});
