import { describe, expect, test } from 'bun:test';
import net from 'node:net';

import { DeafPort } from '../support/deaf-port.ts';
import { startEndpoints } from '../support/endpoint-process.ts';
import { get, post, startFront } from '../support/front.ts';
import { startPointsman } from '../support/pointsman.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
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
    await expectTime(700, async () => {
      client.send(get('/x'));
      const answer = await client.answer();
      expect([503, 504]).toContain(answer.status);
      expect(valueOf(answer, 'proxy-status')).toMatch(/connect_timeout|connection_timeout/);
    });
    for (const filler of fillers) filler.destroy();
    client.close();
  });

  test('sixty endpoints that answer nothing: the client does not wait for all of them', async () => {
    using deaf = await DeafPort.open();
    await using proxy = await startFront([], {
      pool: {
        endpoints: deaf.names(60),
        timeouts: { connect: '500ms' },
        retry: { connectDeadline: '1200ms' },
        outlierDetection: false,
      },
    });
    const client = await dial(proxy.address());
    await expectTime(1500, async () => {
      client.send(get('/x'));
      const answer = await client.answer();
      expect(answer.status).toBe(503);
      expect(valueOf(answer, 'proxy-status')).toContain('last attempt: connect_timeout');
    });
    client.close();
  });

  test('one that answers behind two that do not is found by requests of every method, and by sessions', async () => {
    using deaf = await DeafPort.open();
    await using endpoint = await ScriptedEndpoint.start();
    const pool = {
      policy: 'first' as const,
      endpoints: [...deaf.names(2), endpoint.name],
      timeouts: { connect: '300ms' },
      outlierDetection: false as const,
    };
    await using proxy = await startPointsman({
      listeners: [
        { name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] },
        { name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'web' },
        { name: 'hasty', address: '127.0.0.1:0', protocol: 'tcp', pool: 'hasty' },
      ],
      pools: [
        { name: 'web', ...pool },
        { name: 'hasty', ...pool, retry: { connectAttempts: 2 } },
      ],
    });
    for (const name of ['web', 'raw']) {
      const client = await dial(proxy.address(name));
      client.send(post('/x', 'hello'));
      expect((await client.answer()).status).toBe(200);
      client.close();
    }
    await expectTime(600, async () => {
      const client = await dial(proxy.address('hasty'));
      await client.untilEnd();
      expect(client.ending).toBe('reset');
    });
  });
});
