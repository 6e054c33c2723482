import { describe, expect } from 'bun:test';

import { failed } from '../support/load.ts';
import { steadyTest } from '../support/steady-test.ts';
import { atMost, underLoad } from './scene.ts';

describe('all endpoints under load', () => {
  steadyTest(
    'killed: 503 with Retry-After at once, and good answers within a second of the return',
    async () => {
      let killedMs = 0;
      let backMs = 0;
      const shots = await underLoad({}, async ({ endpoints, load }) => {
        killedMs = load.elapsedMs;
        await Promise.all(endpoints.map((endpoint) => endpoint.kill()));
        await Bun.sleep(2000);
        await Promise.all(endpoints.map((endpoint) => endpoint.start()));
        backMs = load.elapsedMs;
        await Bun.sleep(1500);
      });
      const down = shots.filter(({ startedMs }) => startedMs > killedMs + 1000 && startedMs < backMs - 400);
      expect(down.length).toBeGreaterThan(50);
      expect(new Set(down.map(({ status }) => status))).toEqual(new Set([503]));
      expect(down.every(({ retryAfter }) => retryAfter)).toBe(true);
      const durations = down.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
      expect(durations[Math.floor(durations.length * 0.99)]).toBeLessThan(50);
      atMost(0, failed(shots.filter(({ startedMs }) => startedMs > backMs + 1000)));
    },
  );

  steadyTest('two of three killed: the third takes all', async () => {
    let killedMs = 0;
    const shots = await underLoad({ panicPercent: 0 }, async ({ endpoints, load }) => {
      killedMs = load.elapsedMs;
      await Promise.all([endpoints[0]!.kill(), endpoints[2]!.kill()]);
      await Bun.sleep(1500);
    });
    atMost(0, failed(shots, 'GET'));
    const late = shots.filter(({ startedMs }) => startedMs > killedMs + 1000);
    atMost(0, failed(late));
    expect(late.every(({ endpoint }) => endpoint === 'b')).toBe(true);
  });

  steadyTest('two of three killed, in panic: requests still find the third', async () => {
    const shots = await underLoad({}, async ({ endpoints }) => {
      await Promise.all([endpoints[0]!.kill(), endpoints[2]!.kill()]);
      await Bun.sleep(1500);
    });
    atMost(0, failed(shots, 'GET'));
    atMost(4, failed(shots, 'POST'));
  });

  steadyTest('killed and started again one after the other: no GET fails', async () => {
    const shots = await underLoad({}, async ({ endpoints }) => {
      for (const endpoint of endpoints) {
        await endpoint.kill();
        await Bun.sleep(300);
        await endpoint.start();
        await Bun.sleep(900);
      }
    });
    atMost(0, failed(shots, 'GET'));
    atMost(9, failed(shots, 'POST'));
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
