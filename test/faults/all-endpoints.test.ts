import { describe, expect } from 'bun:test';

import { failed } from '../support/load.ts';
import { steadyTest } from '../support/steady-test.ts';
import { atMost, underLoad, underWayAt, untilDown, untilUp } from './scene.ts';

/** About how long it takes until the checks have seen that an endpoint is gone, or back. */
const NOTICED_MS = 500;

describe('all endpoints under load', () => {
  steadyTest('killed: 503 with Retry-After at once, and good answers soon after the return', async () => {
    let noticedMs = 0;
    let leftMs = 0;
    let healthyMs = 0;
    const shots = await underLoad({}, async ({ pointsman, endpoints, load }) => {
      await Promise.all(endpoints.map((endpoint) => endpoint.kill()));
      const killedMs = load.elapsedMs;
      await untilDown(pointsman, 'a', 'b', 'c');
      noticedMs = load.elapsedMs;
      expect(noticedMs - killedMs).toBeLessThan(10 * NOTICED_MS);
      await Bun.sleep(800);
      leftMs = load.elapsedMs;
      await Promise.all(endpoints.map((endpoint) => endpoint.start()));
      const backMs = load.elapsedMs;
      await untilUp(pointsman, 'a', 'b', 'c');
      healthyMs = load.elapsedMs;
      expect(healthyMs - backMs).toBeLessThan(10 * NOTICED_MS);
      await Bun.sleep(700);
    });
    const down = shots.filter(({ startedMs }) => startedMs > noticedMs + 50 && startedMs < leftMs - 50);
    expect(down.length).toBeGreaterThan(50);
    expect(new Set(down.map(({ status }) => status))).toEqual(new Set([503]));
    expect(down.every(({ retryAfter }) => retryAfter)).toBe(true);
    const durations = down.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    expect(durations[Math.floor(durations.length / 2)]).toBeLessThan(50);
    // Nobody waits for an endpoint.
    expect(durations.at(-1)).toBeLessThan(400);
    const after = shots.filter(({ startedMs }) => startedMs > healthyMs + 50);
    expect(after.length).toBeGreaterThan(50);
    atMost(0, failed(after));
  });

  steadyTest('two of three killed: the third takes all', async () => {
    let noticedMs = 0;
    const shots = await underLoad({ panicPercent: 0 }, async ({ pointsman, endpoints, load }) => {
      const killedMs = load.elapsedMs;
      await Promise.all([endpoints[0]!.kill(), endpoints[2]!.kill()]);
      await untilDown(pointsman, 'a', 'c');
      noticedMs = load.elapsedMs;
      expect(noticedMs - killedMs).toBeLessThan(10 * NOTICED_MS);
      await Bun.sleep(700);
    });
    atMost(0, failed(shots, 'GET'));
    const late = shots.filter(({ startedMs }) => startedMs > noticedMs + 50);
    expect(late.length).toBeGreaterThan(50);
    atMost(0, failed(late));
    expect(late.every(({ endpoint }) => endpoint === 'b')).toBe(true);
  });

  steadyTest('two of three killed, in panic: requests still find the third', async () => {
    let killedMs = 0;
    const shots = await underLoad({}, async ({ endpoints, load }) => {
      killedMs = load.elapsedMs;
      await Promise.all([endpoints[0]!.kill(), endpoints[2]!.kill()]);
      await Bun.sleep(1500);
    });
    atMost(0, failed(shots, 'GET'));
    atMost(4 + underWayAt(shots, killedMs), failed(shots, 'POST'));
  });

  steadyTest('killed and started again one after the other: no GET fails', async () => {
    const killedMs: number[] = [];
    const shots = await underLoad({}, async ({ pointsman, endpoints, load }) => {
      for (const endpoint of endpoints) {
        killedMs.push(load.elapsedMs);
        await endpoint.kill();
        await Bun.sleep(300);
        await endpoint.start();
        await Bun.sleep(700);
        await untilUp(pointsman, 'a', 'b', 'c');
      }
    });
    atMost(0, failed(shots, 'GET'));
    const taken = killedMs.reduce((sum, atMs) => sum + underWayAt(shots, atMs), 0);
    atMost(9 + taken, failed(shots, 'POST'));
  });

  steadyTest('answering 500: ejection never takes the last, and the pool recovers by itself', async () => {
    const shots = await underLoad(
      { outlierDetection: { consecutiveFailures: 5, ejectFor: '1s' } },
      async ({ endpoints, load }) => {
        await Promise.all(endpoints.map((endpoint) => endpoint.behave('error')));
        await Bun.sleep(1000);
        const answered = load.shots.filter(({ durationMs }) => durationMs > 0).slice(-50);
        expect(answered.some(({ status }) => status === 500)).toBe(true);
        await Promise.all(endpoints.map((endpoint) => endpoint.behave('ok')));
        await Bun.sleep(500);
      },
    );
    atMost(0, failed(shots.slice(-40)));
  });
});
