import { describe, expect, test } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
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
    test(`${name}: all are cut in time, and others do not notice`, async () => {
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
    }, 30_000);
  }

  test('bodies that stop give the endpoint back', async () => {
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
