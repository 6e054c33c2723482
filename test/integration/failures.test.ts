import { describe, expect, test } from 'bun:test';

import { get, post, startFront } from '../support/front.ts';
import { startPointsman } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask, dial } from '../support/wire.ts';

/** Every refusal of ours says who speaks, why, and how long it is. */
function expectOurs(answer: HttpMessage, status: number, error: string): void {
  expect(answer.status).toBe(status);
  expect(valueOf(answer, 'proxy-status')).toMatch(new RegExp(`^pointsman; *error=${error}`));
  expect(valueOf(answer, 'content-length')).toBeDefined();
  expect(valueOf(answer, 'date')).toMatch(/GMT$/);
}

describe('answers of the balancer itself', () => {
  test.concurrent('503 when nobody listens and nobody else is left', async () => {
    const [port] = await freePorts(1);
    await using pointsman = await startFront([], {
      pool: { endpoints: [`127.0.0.1:${port}`], outlierDetection: false },
    });
    const answer = await ask(pointsman.address(), get('/x'));
    expectOurs(answer, 503, 'destination_unavailable');
    expect(valueOf(answer, 'proxy-status')).toMatch(/connect_refused/);
    expect(valueOf(answer, 'retry-after')).toBeDefined();
  });

  test.concurrent('503 when the only name is unknown', async () => {
    await using pointsman = await startFront([], {
      pool: { endpoints: ['no-such-name.invalid:80'], outlierDetection: false },
    });
    const answer = await ask(pointsman.address(), get('/x'), 10_000);
    expectOurs(answer, 503, 'destination_unavailable');
    expect(valueOf(answer, 'proxy-status')).toMatch(/dns_failed/);
  });

  test.concurrent('503 with Retry-After when the operator has disabled all', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([], {
      pool: { endpoints: [{ address: endpoint.name, state: 'disabled' }] },
    });
    const answer = await ask(pointsman.address(), get('/x'));
    expectOurs(answer, 503, 'destination_unavailable');
    expect(Number(valueOf(answer, 'retry-after'))).toBeGreaterThanOrEqual(1);
    expect(endpoint.wires.length).toBe(0);
  });

  test.concurrent('502 for an answer that is no HTTP', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('nonsense\r\n\r\n');
    });
    await using pointsman = await startFront([endpoint]);
    expectOurs(await ask(pointsman.address(), get('/x')), 502, 'http_protocol_error');
  });

  test.concurrent('504 when the endpoint says nothing', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
    });
    await using pointsman = await startFront([endpoint], { pool: { timeouts: { response: '300ms' } } });
    expectOurs(await ask(pointsman.address(), get('/x')), 504, 'http_response_timeout');
  });

  test.concurrent('400 for a malformed request', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint]);
    expectOurs(await ask(pointsman.address(), get('/x', 'bad line')), 400, 'http_request_error');
  });

  test.concurrent('413 by the length alone, before any of the body', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint], { listener: { limits: { bodyBytes: '1KiB' } } });
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1025\r\n\r\n');
    expectOurs(await client.answer(), 413, 'http_request_error');
    await client.untilEnd();
    expect(endpoint.requests()).toEqual([]);
  });

  test.concurrent('413 when chunks go beyond the limit, and the endpoint is not given a whole request', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startFront([endpoint], { listener: { limits: { bodyBytes: '1KiB' } } });
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let piece = 0; piece < 5; piece++) {
      client.send(`100\r\n${'x'.repeat(256)}\r\n`);
      await Bun.sleep(10);
    }
    expect((await client.answer()).status).toBe(413);
    await client.untilEnd();
    expect(endpoint.requests()).toEqual([]);
    expect((await ask(pointsman.address(), post('/y', 'x'.repeat(1024)))).status).toBe(200);
  });

  test.concurrent('a HEAD gets the head of a refusal only', async () => {
    await using pointsman = await startPointsman({
      listeners: [
        { name: 'web', address: '127.0.0.1:0', routes: [{ match: { path: '/a' }, reply: { status: 200 } }] },
      ],
    });
    const client = await dial(pointsman.address());
    client.send('HEAD /nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect((await client.answer('HEAD')).status).toBe(404);
    await client.untilQuiet(100);
    expect(client.received.length).toBe(client.cursor);
    client.close();
  });

  test.concurrent('an error of the endpoint is passed on as its own', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nX-Mine: 1\r\n\r\nbusy');
    });
    await using pointsman = await startFront([endpoint]);
    const answer = await ask(pointsman.address(), get('/x'));
    expect(answer.status).toBe(503);
    expect(answer.body.toString()).toBe('busy');
    expect(valueOf(answer, 'x-mine')).toBe('1');
    expect(valueOf(answer, 'proxy-status') ?? '').not.toMatch(/error=/);
  });
});
