import { describe, expect, test } from 'bun:test';

import { Flag } from '../../src/http/h2-protocol.ts';
import { data, headers, HELLO, request } from '../support/h2-client.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { get, startFront } from '../support/front.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { steadyTest } from '../support/steady-test.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const CLIENTS = 300;

/** Ways to hold a connection with a byte now and then. */
const ATTACKS: Readonly<Record<string, { readonly begin: string; readonly drip: string }>> = {
  'heads that never end': { begin: 'GET / HTTP/1.1\r\nHost: a.test\r\n', drip: 'X-A: b\r\n' },
  'request lines that never end': { begin: 'GET /', drip: 'a' },
  'empty lines': { begin: '\r\n', drip: '\r\n' },
};

describe('slowloris', () => {
  for (const [name, { begin, drip }] of Object.entries(ATTACKS)) {
    steadyTest(`${name}: all are cut in time, and others do not notice`, async () => {
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startFront([endpoint], {
        listener: { timeouts: { requestHead: '1s', idle: '1s' } },
      });
      const clients: Wire[] = [];
      for (let count = 0; count < CLIENTS; count++) clients.push(await dial(pointsman.address()));
      const start = performance.now();
      for (const client of clients) client.send(begin);
      let slowestMs = 0;
      while (performance.now() - start < 1700 && clients.some(({ ending }) => ending === 'open')) {
        for (const client of clients) if (client.ending === 'open') client.send(drip);
        const asked = performance.now();
        expect((await ask(pointsman.address(), get('/x'))).status).toBe(200);
        slowestMs = Math.max(slowestMs, performance.now() - asked);
        await Bun.sleep(150);
      }
      expect(clients.filter(({ ending }) => ending === 'open').length).toBe(0);
      expect(slowestMs).toBeLessThan(300);
      expect(endpoint.requests().every(({ target }) => target === '/x')).toBe(true);
      for (const client of clients) client.close();
    });
  }

  /** Bytes a second, in pieces of which every one comes in time. */
  const PACES: readonly { name: string; perSecond: number; status: number; version: 'h1' | 'h2' }[] = [
    { name: 'HTTP/1.1, slower than it may be', perSecond: 20, status: 408, version: 'h1' },
    { name: 'HTTP/1.1, as fast as it must be', perSecond: 400, status: 200, version: 'h1' },
    { name: 'HTTP/2, slower than it may be', perSecond: 20, status: 408, version: 'h2' },
    { name: 'HTTP/2, as fast as it must be', perSecond: 400, status: 200, version: 'h2' },
  ];
  test.concurrent.each(PACES)(
    'bodies that drip: $name',
    async ({ perSecond, status, version }) => {
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startFront([endpoint], {
        listener: {
          http2: { cleartext: true },
          timeouts: { requestBody: '5s', slowBody: '700ms' },
          limits: { bodyRate: '200B' },
        },
      });
      const wire = await dial(pointsman.address());
      const h2 = version === 'h2' ? new H2Wire(wire) : undefined;
      const seconds = 2;
      const total = perSecond * seconds;
      if (h2 === undefined) wire.send(`POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${total}\r\n\r\n`);
      else
        h2.send(
          HELLO,
          headers(1, request('POST', '/x', [['content-length', String(total)]]), Flag.EndHeaders),
        );
      const piece = 'x'.repeat(perSecond / 10);
      const began = performance.now();
      let sent = 0;
      const isAnswered = (): boolean => wire.text.includes('HTTP/1.1') || h2?.hasEnded(1) === true;
      while (sent < total && !isAnswered() && wire.ending === 'open') {
        await Bun.sleep(began + (sent / perSecond) * 1000 - performance.now());
        sent += piece.length;
        if (h2 === undefined) wire.send(piece);
        else {
          h2.send(data(1, piece, sent >= total));
          h2.read();
        }
      }
      if (h2 === undefined) expect((await wire.answer('POST')).status).toBe(status);
      else expect((await h2.until(() => h2.hasEnded(1))).join('\n')).toContain(`:status: ${status}`);
      // Not by the time between two pieces: that would have been later.
      if (status === 408) expect(performance.now() - began).toBeLessThan(1500);
      wire.close();
    },
    30_000,
  );

  steadyTest('a body that drips through one connection after the other gives the endpoint back', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([], {
      listener: { timeouts: { requestBody: '5s', slowBody: '500ms' } },
      pool: { endpoints: [{ address: endpoint.name, maxConnections: 5 }] },
    });
    const clients = await Promise.all(Array.from({ length: 5 }, () => dial(pointsman.address())));
    for (const client of clients)
      client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9999\r\n\r\n');
    const drip = setInterval(() => {
      for (const client of clients) if (client.ending === 'open') client.send('x');
    }, 100);
    await Bun.sleep(100);
    expect((await ask(pointsman.address(), get('/next'))).status).toBe(200);
    clearInterval(drip);
    for (const client of clients) client.close();
  });

  steadyTest('bodies that stop give the endpoint back', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([], {
      listener: { timeouts: { requestBody: '700ms' } },
      pool: { endpoints: [{ address: endpoint.name, maxConnections: 5 }] },
    });
    const clients = await Promise.all(Array.from({ length: 5 }, () => dial(pointsman.address())));
    for (const client of clients)
      client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhello');
    await Bun.sleep(100);
    const start = performance.now();
    expect((await ask(pointsman.address(), get('/next'))).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(1300);
    for (const client of clients) client.close();
  });
});
