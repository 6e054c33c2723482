import { describe, expect, test } from 'bun:test';

import { get, post, startFront } from '../support/front.ts';
import { echo, plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask, dial } from '../support/wire.ts';

describe('trailers', () => {
  test('pass from client to endpoint', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(
      'POST /x HTTP/1.1\r\nHost: a.test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    );
    expect((await client.answer()).status).toBe(200);
    expect(endpoint.requests()[0]?.trailers).toEqual([['X-Sum', '1']]);
    client.close();
  });

  test('pass from endpoint to client', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(
        'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
      );
    });
    await using pointsman = await startFront([endpoint]);
    const answer = await ask(pointsman.address(), get('/x', 'TE: trailers', 'Connection: TE'));
    expect(answer.trailers).toEqual([['X-Sum', '1']]);
  });
});

describe('interim responses', () => {
  test('100 comes from the endpoint, not before it', async () => {
    const [arrived, said] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.head();
      arrived.resolve();
      await said.promise;
      wire.send('HTTP/1.1 100 Continue\r\n\r\n');
      await echo(wire);
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await arrived.promise;
    await client.untilQuiet(50);
    expect(client.text).toBe('');
    said.resolve();
    await client.until(() => client.text.startsWith('HTTP/1.1 100'));
    client.send('hello');
    expect((await client.answer()).body.toString()).toBe('POST /x 5');
    expect(client.interim.map(({ status }) => status)).toEqual([100]);
    client.send(post('/y', 'again'));
    expect((await client.answer()).body.toString()).toBe('POST /y 5');
    client.close();
  });

  test('the endpoint gets the expectation', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    await ask(pointsman.address(), post('/x', 'hello', 'Expect: 100-continue'));
    const [request] = endpoint.requests();
    expect(request === undefined ? '' : valueOf(request, 'expect')).toBe('100-continue');
  });

  test('103 comes at once, before the answer is ready', async () => {
    const hinted = Promise.withResolvers<void>();
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n');
      await hinted.promise;
      wire.send(plainAnswer('done'));
    });
    await using pointsman = await startFront([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x'));
    await client.until(() => client.text.includes('a.css'));
    hinted.resolve();
    expect((await client.answer()).body.toString()).toBe('done');
    client.close();
  });
});
