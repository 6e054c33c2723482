import { describe, expect, test } from 'bun:test';

import { askInTurn, get, startFront } from '../support/front.ts';
import { echo, plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial } from '../support/wire.ts';

/** Lets nobody go on before so many have come. */
function meeting(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    if (++come === count) resolve();
    return promise;
  };
}

describe('endpoint connections', () => {
  test('are reused across clients', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    for (let index = 0; index < 20; index++) await ask(pointsman.address(), get(`/${index}`));
    expect(endpoint.wires.length).toBe(1);
  });

  test('are used last in, first out, so that idle ones grow old', async () => {
    const together = meeting(4);
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') return;
        if (parsed.message.target === '/slow') await together();
        wire.send(plainAnswer('ok'));
      }
    });
    await using pointsman = await startFront([endpoint], { pool: { timeouts: { idle: '60s' } } });
    await Promise.all([1, 2, 3, 4].map(() => ask(pointsman.address(), get('/slow'))));
    expect(endpoint.wires.length).toBe(4);
    for (let index = 0; index < 12; index++) await ask(pointsman.address(), get('/x'));
    const counts = endpoint.conversations().map(({ messages }) => messages.length);
    expect(counts.sort((a, b) => b - a)).toEqual([13, 1, 1, 1]);
  });

  test('no more idle ones are kept than maxIdleConnections', async () => {
    const together = meeting(6);
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        if ((await wire.request(60_000)).kind !== 'message') return;
        await together();
        wire.send(plainAnswer('ok'));
      }
    });
    await using pointsman = await startFront([endpoint], {
      pool: { maxIdleConnections: 2, timeouts: { idle: '60s' } },
    });
    await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(pointsman.address(), get('/x'))));
    const open = (): number => endpoint.wires.filter(({ ending }) => ending === 'open').length;
    await untilTrue('the end of the others', () => open() <= 2);
    await Bun.sleep(50);
    expect([open(), endpoint.wires.length]).toEqual([2, 6]);
  });

  test('maxAge ends them', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint], { pool: { timeouts: { maxAge: '300ms' } } });
    let requests = 0;
    const connections = async (): Promise<number> => {
      await ask(pointsman.address(), get('/x'));
      requests++;
      return endpoint.wires.length;
    };
    await untilTrue('one that is used twice', async () => (await connections()) < requests);
    // Never idle for long: only its age can end it.
    const before = endpoint.wires.length;
    await untilTrue('another one', async () => (await connections()) > before);
  });

  test('the race with an endpoint that closes idle connections never shows for GET', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (let turn = 0; turn < 3; turn++) {
        const parsed = await wire.request();
        if (parsed.kind !== 'message') break;
        wire.send(plainAnswer(parsed.message.target));
      }
      // Closed without having said so: the next request is already on its way.
      wire.close();
    });
    await using pointsman = await startFront([endpoint]);
    const targets = Array.from({ length: 200 }, (_, index) => `/${index}`);
    const answers = await askInTurn(
      pointsman,
      targets.map((target) => get(target)),
    );
    expect(answers.map(({ body }) => body.toString())).toEqual(targets);
  });

  test('and an endpoint that resets them on the next request does not show either', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      const parsed = await wire.request();
      if (parsed.kind !== 'message') return;
      wire.send(plainAnswer(parsed.message.target));
      await wire.until(() => wire.receivedBytes > wire.cursor || wire.ending !== 'open', 20_000);
      wire.reset();
    });
    await using pointsman = await startFront([endpoint]);
    const targets = Array.from({ length: 50 }, (_, index) => `/${index}`);
    const answers = await askInTurn(
      pointsman,
      targets.map((target) => get(target)),
    );
    expect(answers.map(({ body }) => body.toString())).toEqual(targets);
  });

  test('an answer that comes before the end of a large upload reaches the client', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire, index) => {
      if (index > 0) return echo(wire);
      await wire.head();
      wire.send(plainAnswer('enough', 'Connection: close\r\n', '413 Content Too Large'));
      wire.halfClose();
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000000\r\n\r\n');
    client.send(Buffer.alloc(4_000_000, 'x'));
    expect((await client.answer()).status).toBe(413);
    client.close();
    expect((await ask(pointsman.address(), get('/next'))).body.toString()).toBe('GET /next 0');
  });
});
