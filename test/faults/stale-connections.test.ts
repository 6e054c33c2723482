import { describe, expect, test } from 'bun:test';

import { get, post, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';

/** Clients, and requests of each, of the test under load. */
const CLIENTS = 40;
const ROUNDS = 60;
/** How long the endpoint keeps a connection, and clients think, milliseconds. */
const KEEP_MS = 30;

/** What an endpoint does with an idle connection, so that it is ended for good. */
const ENDS = {
  FIN: (wire) => wire.halfClose(),
  RST: (wire) => wire.reset(),
} satisfies Record<string, (wire: { halfClose(): void; reset(): void }) => void>;

describe('an endpoint that closes idle connections', () => {
  for (const [name, end] of Object.entries(ENDS)) {
    test(`a POST that finds a ${name} in its socket, not heard of yet, goes by another connection`, async () => {
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startFront([endpoint]);
      const client = await dial(pointsman.address());
      client.send(get('/first'));
      expect((await client.answer()).status).toBe(200);
      const worker = pointsman.workerPids.at(-1)!;
      for (const [target, body] of [
        ['/second', ''],
        ['/third', 'hello'],
      ] as const) {
        const used = endpoint.wires.at(-1)!;
        // The request is the first thing it hears of when it goes on.
        process.kill(worker, 'SIGSTOP');
        client.send(post(target, body));
        await Bun.sleep(20);
        end(used);
        await Bun.sleep(20);
        process.kill(worker, 'SIGCONT');
        expect((await client.answer('POST')).status).toBe(200);
        expect(used.text).not.toContain(target);
      }
      client.close();
    });
  }

  test('under load: no POST fails whose connection was ended a millisecond before', async () => {
    /** Connections by when they were ended. */
    const endedMs = new Map<ScriptedEndpoint['wires'][number], number>();
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const next = wire.request(60_000);
        const ended = await Promise.race([next.then(() => false), Bun.sleep(KEEP_MS).then(() => true)]);
        if (ended) {
          endedMs.set(wire, performance.now());
          wire.halfClose();
        }
        const parsed = await next;
        if (parsed.kind !== 'message' || ended) return;
        wire.send(plainAnswer('ok'));
      }
    });
    await using pointsman = await startFront([endpoint], { pool: { outlierDetection: false } });
    const failures: { target: string; sentMs: number }[] = [];
    let good = 0;
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const wire = await dial(pointsman.address());
        for (let round = 0; round < ROUNDS; round++) {
          const target = `/${client}/${round}/`;
          const sentMs = performance.now();
          wire.send(post(target, 'hello'));
          if ((await wire.answer('POST', 20_000)).status === 200) good++;
          else failures.push({ target, sentMs });
          wire.forget();
          await Bun.sleep(KEEP_MS - 10 + ((client * 7 + round * 13) % 20));
        }
        wire.close();
      }),
    );
    const late = failures.filter(({ target, sentMs }) =>
      [...endedMs].some(([wire, ms]) => ms < sentMs - 1 && wire.text.includes(target)),
    );
    expect(late).toEqual([]);
    expect(endedMs.size).toBeGreaterThan(50);
    expect(good + failures.length).toBe(CLIENTS * ROUNDS);
  }, 60_000);
});
