import { describe, expect } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { faultTest, InjectedFault } from '../support/injected-fault.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
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
        const fault = await InjectedFault.begin(workerOf(pointsman), 'accept4', error);
        const waiting = await dial(pointsman.address());
        waiting.send(get('/waiting'));
        await Bun.sleep(300);
        const before = fault.count;
        await Bun.sleep(1000);
        expect(fault.count - before).toBeWithin(1, 30);
        known.send(get('/known'));
        expect((await known.answer()).status).toBe(200);
        expect(endpoint.requests().map(({ target }) => target)).not.toContain('/waiting');
        expect(
          await metric(pointsman, /^pointsman_listener_failures_total.*"accept_exhausted"/),
        ).toBeGreaterThan(1);
        expect(pointsman.lines('cannot-accept').join('\n')).toContain(`reason=${error}`);
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
        await Bun.sleep(200);
        const fault = await InjectedFault.begin(workerOf(pointsman), call, error);
        for (let round = 0; round < 10; round++) {
          client.send(get('/meanwhile'));
          const answer = await client.answer('GET', 10_000);
          expect(answer.status).toBe(503);
          expect(valueOf(answer, 'proxy-status')).toContain('no_descriptor');
        }
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
});
