import { describe, expect } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { faultTest, InjectedFault } from '../support/injected-fault.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf } from '../support/strict-fields.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';
import { ask, dial } from '../support/wire.ts';

/** The one process that carries traffic. */
function workerOf(pointsman: Pointsman): number {
  return pointsman.workerPids.at(-1)!;
}

async function metric(pointsman: Pointsman, line: RegExp): Promise<number> {
  const text = await (await fetch(`${pointsman.admin}/metrics`)).text();
  return text
    .split('\n')
    .filter((one) => line.test(one))
    .reduce((sum, one) => sum + Number(one.split(' ').at(-1)), 0);
}

describe('when the machine runs out of something', () => {
  for (const error of ['ENOMEM', 'ENOBUFS', 'ENFILE']) {
    faultTest(
      `nothing can be accepted (${error}): no busy loop, those who wait are served later`,
      async () => {
        await using endpoint = await ScriptedEndpoint.start();
        await using pointsman = await startFront([endpoint]);
        const known = await dial(pointsman.address());
        known.send(get('/known'));
        expect((await known.answer()).status).toBe(200);
        await using fault = await InjectedFault.begin(workerOf(pointsman), 'accept4', error);
        const waiting = await dial(pointsman.address());
        waiting.send(get('/waiting'));
        await Bun.sleep(300);
        const before = fault.count;
        const start = performance.now();
        await Bun.sleep(1000);
        await untilTrue('another attempt', () => fault.count > before);
        expect((fault.count - before) / (performance.now() - start)).toBeLessThan(30 / 1000);
        known.send(get('/known'));
        expect((await known.answer()).status).toBe(200);
        expect(endpoint.requests().map(({ target }) => target)).not.toContain('/waiting');
        await untilTrue(
          'its count',
          async () => (await metric(pointsman, /^pointsman_listener_failures_total.*"accept_exhausted"/)) > 1,
        );
        expect(await pointsman.line('cannot-accept')).toContain(`reason=${error}`);
        await fault.end();
        expect((await waiting.answer('GET', 10_000)).status).toBe(200);
        known.close();
        waiting.close();
      },
      30_000,
    );
  }

  const DIALS: readonly (readonly [call: string, error: string])[] = [
    ['socket', 'EMFILE'],
    ['connect', 'EADDRNOTAVAIL'],
    ['epoll_ctl', 'ENOSPC'],
  ];
  for (const [call, error] of DIALS) {
    faultTest(
      `no endpoint can be dialled (${call}: ${error}): said so, nobody is blamed, it passes`,
      async () => {
        await using endpoint = await ScriptedEndpoint.start();
        await using pointsman = await startFront([endpoint], { pool: { timeouts: { idle: '50ms' } } });
        const client = await dial(pointsman.address());
        client.send(get('/before'));
        expect((await client.answer()).status).toBe(200);
        await untilTrue('the end of idle connections', () =>
          endpoint.wires.every(({ ending }) => ending !== 'open'),
        );
        const files = pointsman.openFiles();
        await using fault = await InjectedFault.begin(workerOf(pointsman), call, error);
        for (let round = 0; round < 10; round++) {
          client.send(get('/meanwhile'));
          const answer = await client.answer('GET', 10_000);
          expect(answer.status).toBe(503);
          expect(valueOf(answer, 'proxy-status')).toContain('no_descriptor');
        }
        expect(pointsman.openFiles()).toBeLessThan(files + 5);
        await fault.end();
        client.send(get('/after'));
        expect((await client.answer()).status).toBe(200);
        expect((await ask(pointsman.address(), get('/other'))).status).toBe(200);
        expect(await metric(pointsman, /^pointsman_listener_failures_total.*"no_descriptor"/)).toBe(10);
        expect(await metric(pointsman, /^pointsman_endpoint_transitions_total.*"ejected"/)).toBe(0);
        expect(pointsman.lines('defect', 'worker-died')).toEqual([]);
        client.close();
      },
      60_000,
    );
  }

  for (const [call, error] of [
    ['socket', 'EMFILE'],
    ['epoll_ctl', 'ENOSPC'],
  ] as const) {
    faultTest(
      `no UDP session can begin (${call}: ${error}): said once, nothing is kept, it passes`,
      async () => {
        await using endpoint = await UdpEndpoint.start('a');
        await using pointsman = await startPointsman({
          listeners: [{ name: 'dns', address: '127.0.0.1:0', protocol: 'udp', pool: 'dns' }],
          pools: [{ name: 'dns', endpoints: [endpoint.address] }],
        });
        const { port } = pointsman.address();
        using known = await UdpClient.open(port);
        expect(await known.ask('before')).toBe('a:before');
        const files = pointsman.openFiles();
        await using fault = await InjectedFault.begin(workerOf(pointsman), call, error);
        using stranger = await UdpClient.open(port);
        for (let round = 0; round < 20; round++) stranger.send('meanwhile');
        expect(await known.ask('meanwhile')).toBe('a:meanwhile');
        expect(await stranger.next(300)).toBeUndefined();
        expect(pointsman.openFiles()).toBeLessThan(files + 5);
        const failures = /^pointsman_listener_failures_total.*"no_descriptor"/;
        await untilTrue('their count', async () => (await metric(pointsman, failures)) >= 20);
        expect(await metric(pointsman, failures)).toBe(20);
        await fault.end();
        expect(await stranger.ask('after')).toBe('a:after');
        await pointsman.line('no-udp-socket');
        expect(pointsman.lines('no-udp-socket')).toHaveLength(1);
        expect(pointsman.lines('defect', 'worker-died')).toEqual([]);
      },
      30_000,
    );
  }
});
