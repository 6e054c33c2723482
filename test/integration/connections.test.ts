import { describe, expect, test } from 'bun:test';

import { askInTurn, get, post, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask, dial } from '../support/wire.ts';

describe('client connections', () => {
  test('one is kept for many requests, in order', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const targets = Array.from({ length: 50 }, (_, index) => `/${index}`);
    const answers = await askInTurn(
      pointsman,
      targets.map((target) => get(target)),
    );
    expect(answers.map(({ body }) => body.toString())).toEqual(targets.map((target) => `GET ${target} 0`));
    expect(endpoint.wires.length).toBe(1);
  });

  test('pipelined requests are answered in order, whatever each takes', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request();
        if (parsed.kind !== 'message') return;
        await Bun.sleep(Number(parsed.message.target.split('/')[2]));
        wire.send(plainAnswer(parsed.message.target));
      }
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    const targets = ['/a/80', '/b/1', '/c/40', '/d/1', '/e/1'];
    client.send(targets.map((target) => get(target)).join(''));
    for (const target of targets) expect((await client.answer()).body.toString()).toBe(target);
    client.close();
  });

  test('pipelined requests with bodies of every kind keep apart', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    const chunks =
      'POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    client.send(post('/a', 'hello') + get('/b') + chunks + post('/d', '') + get('/e'));
    const bodies: string[] = [];
    for (let index = 0; index < 5; index++) bodies.push((await client.answer()).body.toString());
    expect(bodies).toEqual(['POST /a 5', 'GET /b 0', 'POST /c 3', 'POST /d 0', 'GET /e 0']);
    client.close();
  });

  test('Connection: close is heard', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x', 'Connection: close'));
    const answer = await client.answer();
    expect(valueOf(answer, 'connection')).toBe('close');
    await client.untilEnd();
    expect(client.ending).toBe('fin');
  });

  test('HTTP/1.0 is answered in full and closed', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n');
    expect((await client.answer()).body.toString()).toBe('GET /old 0');
    await client.untilEnd();
  });

  test('HTTP/1.0 with keep-alive may go on', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('GET /old HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n');
    const answer = await client.answer();
    expect(answer.body.toString()).toBe('GET /old 0');
    const kept = /keep-alive/i.test(valueOf(answer, 'connection') ?? '');
    if (!kept) return client.untilEnd();
    client.send('GET /again HTTP/1.0\r\nHost: a.test\r\n\r\n');
    expect((await client.answer()).body.toString()).toBe('GET /again 0');
    client.close();
  });

  test('HTTP/1.0 gets a body of unknown length up to the close, without chunks', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    });
    await using pointsman = await startFront([endpoint]);
    const answer = await ask(
      pointsman.address(),
      'GET /x HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n',
    );
    expect(answer.framing).toBe('close');
    expect(answer.body.toString()).toBe('hello');
  });

  test('a client that sends FIN behind its request still gets the answer', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      await Bun.sleep(200);
      wire.send(plainAnswer('late'));
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    client.halfClose();
    expect((await client.answer()).body.toString()).toBe('late');
    await client.untilEnd();
  });

  test('a client that resets frees the endpoint', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    while (endpoint.requests().length === 0) await Bun.sleep(5);
    client.reset();
    await endpoint.wires[0]!.untilEnd();
  });

  test('requestsPerConnection closes behind the last', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint], {
      listener: { limits: { requestsPerConnection: 3 } },
    });
    const client = await dial(pointsman.address());
    for (let index = 1; index <= 3; index++) {
      client.send(get('/x'));
      expect(valueOf(await client.answer(), 'connection') === 'close').toBe(index === 3);
    }
    await client.untilEnd();
  });

  test('connections beyond the limit are closed at once, and places become free again', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint], { listener: { limits: { connections: 3 } } });
    const clients = await Promise.all([1, 2, 3].map(() => dial(pointsman.address())));
    for (const client of clients) {
      client.send(get('/x'));
      await client.answer();
    }
    // The reset may come before the client has noticed that it is connected.
    const fourth = await dial(pointsman.address()).catch(() => undefined);
    fourth?.send(get('/x'));
    await fourth?.untilEnd();
    expect(fourth?.text ?? '').not.toContain(' 200 ');
    clients[0]?.close();
    await untilTrue('a place', async () => {
      const answer = await ask(pointsman.address(), get('/x')).catch(() => undefined);
      return answer?.status === 200;
    });
    for (const client of clients) client.close();
  });
});
