import { describe, expect, test } from 'bun:test';
import net from 'node:net';

import { startEndpoints } from '../support/endpoint-process.ts';
import { get } from '../support/front.ts';
import { startPointsman } from '../support/pointsman.ts';
import { valueOf } from '../support/strict-fields.ts';
import { dial } from '../support/wire.ts';
import { expectTime } from './expect-time.ts';

describe('limit of a connect', () => {
  test('connect: an endpoint whose kernel takes no more connections', async () => {
    await using endpoints = await startEndpoints(1);
    const [frozen] = endpoints.all;
    const port = Number(frozen?.address.split(':')[1]);
    await using proxy = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [
        {
          name: 'web',
          endpoints: [`127.0.0.1:${port}`],
          timeouts: { connect: '700ms' },
          outlierDetection: false,
        },
      ],
    });
    frozen?.signal('SIGSTOP');
    // Fills the queue of connections that nobody accepts; those that do not fit stay in their first step.
    const fillers = Array.from({ length: 700 }, () =>
      net.connect({ host: '127.0.0.1', port }).on('error', () => {}),
    );
    await Bun.sleep(300);
    const client = await dial(proxy.address());
    client.send(get('/x'));
    await expectTime(700, async () => {
      const answer = await client.answer();
      expect([503, 504]).toContain(answer.status);
      expect(valueOf(answer, 'proxy-status')).toMatch(/connect_timeout|connection_timeout/);
    });
    for (const filler of fillers) filler.destroy();
    client.close();
  });
});
