import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { startHaproxy, startNginx } from '../support/configured-program.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { CLIENT, CLIENT_PORT, headerV1, headerV2 } from '../support/proxy-header.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask, dial } from '../support/wire.ts';

describe('behind another balancer', () => {
  let endpoint: ScriptedEndpoint;
  let echo: ScriptedEndpoint;
  let pointsman: Pointsman;
  let ports: number[];

  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start();
    echo = await ScriptedEndpoint.start(async (wire) => {
      await wire.until(() => wire.receivedBytes >= 4);
      wire.send(`got ${wire.text}`);
    });
    ports = await freePorts(2);
    const from = ['127.0.0.0/8'];
    const routes = [{ pool: 'web' }];
    pointsman = await startPointsman({
      accessLog: { path: 'stdout', format: '${clientIp} ${clientPort} ${peerIp} ${target}' },
      listeners: [
        {
          name: 'required',
          address: `127.0.0.1:${ports[0]}`,
          proxyProtocol: { from },
          routes,
        },
        {
          name: 'required-soon',
          address: '127.0.0.1:0',
          proxyProtocol: { from, timeout: '200ms' },
          routes,
        },
        {
          name: 'optional',
          address: '127.0.0.1:0',
          proxyProtocol: { from, required: false },
          routes,
        },
        {
          name: 'optional-soon',
          address: '127.0.0.1:0',
          proxyProtocol: { from, required: false, timeout: '200ms' },
          routes,
        },
        { name: 'elsewhere', address: '127.0.0.1:0', proxyProtocol: { from: ['10.0.0.0/8'] }, routes },
        {
          name: 'not-believed',
          address: '127.0.0.1:0',
          proxyProtocol: { from: ['10.0.0.0/8'], required: false },
          routes,
        },
        {
          name: 'trusting',
          address: '127.0.0.1:0',
          proxyProtocol: { from },
          trustedProxies: ['127.0.0.0/8', '192.0.2.0/24'],
          routes,
        },
        {
          name: 'limited',
          address: '127.0.0.1:0',
          proxyProtocol: { from },
          routes: [{ pool: 'web', filters: [{ rateLimit: { key: 'client-ip', rate: '1/m', burst: 1 } }] }],
        },
        {
          name: 'tcp',
          address: `127.0.0.1:${ports[1]}`,
          protocol: 'tcp',
          proxyProtocol: { from },
          pool: 'echo',
        },
        {
          name: 'tcp-optional',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          proxyProtocol: { from, required: false, timeout: '200ms' },
          pool: 'echo',
        },
      ],
      pools: [
        { name: 'web', endpoints: [endpoint.name] },
        { name: 'echo', endpoints: [echo.name] },
      ],
    });
  });
  afterAll(async () => {
    await pointsman.stop('SIGKILL');
    await endpoint[Symbol.asyncDispose]();
    await echo[Symbol.asyncDispose]();
  });

  let count = 0;
  /** What the endpoint was sent when a client sent these bytes and a request, in one piece or byte by byte. */
  async function forwarded(listener: string, header: Buffer, ...lines: string[]): Promise<HttpMessage> {
    const target = `/${++count}`;
    const wire = await dial(pointsman.address(listener));
    wire.send(Buffer.concat([header, Buffer.from(get(target, ...lines))]));
    expect((await wire.answer()).status).toBe(200);
    wire.close();
    return requestOf(target);
  }

  function requestOf(target: string): HttpMessage {
    const request = endpoint.requests().find((candidate) => candidate.target === target);
    if (request === undefined) throw new Error('the request did not arrive');
    return request;
  }

  async function failures(listener: string, code: string): Promise<number> {
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    const line = metrics
      .split('\n')
      .find((one) => one.includes(`listener="${listener}"`) && one.includes(`"${code}"`));
    return Number(line?.split(' ').at(-1) ?? 0);
  }

  test('the client is who the header says: fields, access log', async () => {
    for (const header of [headerV1(), headerV2(), headerV2(CLIENT, { checksum: true, alpn: 'http/1.1' })]) {
      const request = await forwarded('required', header);
      expect(valueOf(request, 'x-forwarded-for')).toBe(CLIENT);
      expect(valueOf(request, 'forwarded')).toContain(`for=${CLIENT}`);
      expect(valueOf(request, 'x-forwarded-proto')).toBe('http');
    }
    const line = `${CLIENT} ${CLIENT_PORT} 127.0.0.1 /${count}`;
    while (!pointsman.logs().includes(line)) await Bun.sleep(5);
  });

  test('IPv6', async () => {
    for (const header of [headerV1('2001:db8::7'), headerV2('2001:db8::7')])
      expect(valueOf(await forwarded('required', header), 'x-forwarded-for')).toBe('2001:db8::7');
  });

  test('who ended TLS says so', async () => {
    const tls = { version: 'TLSv1.3', cipher: 'x', verified: false };
    expect(valueOf(await forwarded('required', headerV2(CLIENT, { tls })), 'x-forwarded-proto')).toBe(
      'https',
    );
  });

  test('UNKNOWN and LOCAL: the peer itself', async () => {
    for (const header of [
      Buffer.from('PROXY UNKNOWN\r\n'),
      Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'),
    ])
      expect(valueOf(await forwarded('required', header), 'x-forwarded-for')).toBe('127.0.0.1');
  });

  test('the header in many segments, the request close behind', async () => {
    const bytes = Buffer.concat([
      headerV2(CLIENT, { uniqueId: Buffer.from('abc') }),
      Buffer.from(get('/pieces')),
    ]);
    const wire = await dial(pointsman.address('required'));
    for (const byte of bytes.subarray(0, 40)) {
      wire.send(Buffer.from([byte]));
      await Bun.sleep(1);
    }
    wire.send(bytes.subarray(40));
    expect((await wire.answer()).status).toBe(200);
    wire.send(get('/pieces-again'));
    expect((await wire.answer()).status).toBe(200);
    wire.close();
    expect(valueOf(requestOf('/pieces'), 'x-forwarded-for')).toBe(CLIENT);
    expect(valueOf(requestOf('/pieces-again'), 'x-forwarded-for')).toBe(CLIENT);
  });

  test('X-Forwarded-For is believed of trusted proxies behind the header, not of the balancer before us', async () => {
    const lie = 'X-Forwarded-For: 198.51.100.66';
    expect(valueOf(await forwarded('trusting', headerV2(CLIENT), lie), 'x-forwarded-for')).toBe(CLIENT);
    const proxied = await forwarded('trusting', headerV2('192.0.2.9'), lie);
    expect(valueOf(proxied, 'x-forwarded-for')).toBe('198.51.100.66, 192.0.2.9');
  });

  test('rate limits count clients, not balancers', async () => {
    const statusOf = async (ip: string): Promise<number> => {
      const wire = await dial(pointsman.address('limited'));
      wire.send(Buffer.concat([headerV1(ip), Buffer.from(get('/limited'))]));
      const { status } = await wire.answer();
      wire.close();
      return status;
    };
    expect(await statusOf('203.0.113.1')).toBe(200);
    expect(await statusOf('203.0.113.1')).toBe(429);
    expect(await statusOf('203.0.113.2')).toBe(200);
  });

  const refused: readonly (readonly [what: string, bytes: string, code: string])[] = [
    ['a request without a header', get('/bare'), 'proxy_missing'],
    ['garbage', '\0\0\0\0', 'proxy_missing'],
    ['a header that is malformed', `PROXY TCP4 1.1.1.1 2.2.2.2 1 x\r\n${get('/bad')}`, 'proxy_malformed'],
    ['half a header', 'PROXY TCP4 1.1.1.1', 'proxy_timeout'],
    ['nothing', '', 'proxy_timeout'],
  ];
  for (const [what, bytes, code] of refused) {
    test(`${what}: closed without a word, ${code}`, async () => {
      const listener = code === 'proxy_timeout' ? 'required-soon' : 'required';
      const before = await failures(listener, code);
      const requests = endpoint.requests().length;
      const wire = await dial(pointsman.address(listener));
      if (bytes !== '') wire.send(bytes);
      await wire.untilEnd();
      expect(wire.text).toBe('');
      expect(await failures(listener, code)).toBe(before + 1);
      expect(endpoint.requests().length).toBe(requests);
    });
  }

  test('where it is required nobody else is served', async () => {
    // It may be reset before the test knows that it was accepted.
    const wire = await dial(pointsman.address('elsewhere')).catch(() => undefined);
    if (wire !== undefined) {
      wire.send(Buffer.concat([headerV1(), Buffer.from(get('/elsewhere'))]));
      await wire.untilEnd();
      expect(wire.text).toBe('');
    }
    expect(await failures('elsewhere', 'proxy_untrusted')).toBe(1);
  });

  test('a header of somebody who is not trusted is no header', async () => {
    expect(valueOf(await forwarded('not-believed', Buffer.alloc(0)), 'x-forwarded-for')).toBe('127.0.0.1');
    const wire = await dial(pointsman.address('not-believed'));
    wire.send(Buffer.concat([headerV1(), Buffer.from(get('/lie'))]));
    expect((await wire.answer()).status).toBe(400);
    wire.close();
  });

  test('where it is optional, with and without', async () => {
    expect(valueOf(await forwarded('optional', headerV2()), 'x-forwarded-for')).toBe(CLIENT);
    expect(valueOf(await forwarded('optional', Buffer.alloc(0)), 'x-forwarded-for')).toBe('127.0.0.1');
  });

  test('where it is optional, what begins like a header and is none is served when that is clear', async () => {
    const wire = await dial(pointsman.address('optional'));
    wire.send('P');
    await Bun.sleep(20);
    wire.send('OST /post HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi');
    expect((await wire.answer('POST')).status).toBe(200);
    wire.close();
    const half = await dial(pointsman.address('optional-soon'));
    half.send('PROXY TCP4 ');
    await half.untilEnd();
    expect(half.text).toBe('');
  });

  test('tcp: bytes behind the header go on, the header does not', async () => {
    for (const header of [headerV1(), headerV2()]) {
      const wire = await dial(pointsman.address('tcp'));
      wire.send(Buffer.concat([header, Buffer.from('ping')]));
      await wire.until(() => wire.text === 'got ping');
      wire.close();
    }
  });

  test('tcp: a client that waits for the server to speak is served where no header is required', async () => {
    const { script } = echo;
    echo.script = (wire) => wire.send('220 hello');
    const wire = await dial(pointsman.address('tcp-optional'));
    await wire.until(() => wire.text === '220 hello');
    wire.close();
    echo.script = script;
  });

  testWith('haproxy')('HAProxy before us: send-proxy, send-proxy-v2 and its options', async () => {
    const [v1 = 0, v2 = 0, tcp = 0] = await freePorts(3);
    await using _haproxy = await startHaproxy(
      `listen v1
  bind 127.0.0.1:${v1}
  server s 127.0.0.1:${ports[0]} send-proxy
listen v2
  bind 127.0.0.1:${v2}
  server s 127.0.0.1:${ports[0]} send-proxy-v2 proxy-v2-options ssl,crc32c,unique-id
  unique-id-format %{+X}o%ci:%cp_%rt
listen tcp
  mode tcp
  bind 127.0.0.1:${tcp}
  server s 127.0.0.1:${ports[1]} send-proxy-v2 proxy-v2-options crc32c`,
      v1,
    );
    for (const port of [v1, v2]) {
      const target = `/haproxy-${port}`;
      // Its own source address tells its clients apart.
      expect((await ask({ host: '127.0.0.1', port }, get(target))).status).toBe(200);
      expect(valueOf(requestOf(target), 'x-forwarded-for')).toBe('127.0.0.1');
      const logged = new RegExp(`^127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 ${target}$`, 'm');
      while (!logged.test(pointsman.logs())) await Bun.sleep(5);
    }
    const wire = await dial({ host: '127.0.0.1', port: tcp });
    wire.send('ping');
    await wire.until(() => wire.text === 'got ping');
    wire.close();
  });

  testWith('nginx')('nginx before us: proxy_protocol on', async () => {
    const [port = 0] = await freePorts(1);
    await using _nginx = await startNginx(
      `stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${ports[0]}; proxy_protocol on; } }`,
      port,
    );
    const wire = await dial({ host: '127.0.0.1', port });
    wire.send(get('/nginx'));
    expect((await wire.answer()).status).toBe(200);
    wire.close();
    expect(valueOf(requestOf('/nginx'), 'x-forwarded-for')).toBe('127.0.0.1');
  });
});
