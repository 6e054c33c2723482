import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { parseProxyHeader } from '../../src/net/proxy-protocol/parse-proxy-header.ts';
import type { ProxyHeader } from '../../src/net/proxy-protocol/proxy-header.ts';
import { TestCa } from '../support/certificates.ts';
import { startHaproxy, startNginx } from '../support/configured-program.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { CLIENT, CLIENT_PORT, headerV2 } from '../support/proxy-header.ts';
import { freePorts } from '../support/free-ports.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const HTTP_PATHS =
  'access_log off; client_body_temp_path $directory/b; proxy_temp_path $directory/p; fastcgi_temp_path $directory/f; uwsgi_temp_path $directory/u; scgi_temp_path $directory/s;';

/** The header at the beginning of a connection, and what follows it. */
async function introduced(wire: Wire): Promise<{ header: ProxyHeader; rest: string }> {
  let verdict = parseProxyHeader(wire.received);
  await wire.until(() => {
    verdict = parseProxyHeader(wire.received);
    return verdict.kind !== 'more';
  }, 5000);
  if (verdict.kind !== 'header') throw new Error(`${verdict.kind}: ${wire.text}`);
  return { header: verdict.header, rest: wire.text.slice(verdict.end) };
}

/** Answers every request behind a header with the port of the client that the header names. */
async function answering(wire: Wire): Promise<void> {
  const { header, rest } = await introduced(wire);
  wire.cursor = wire.received.length - rest.length;
  while ((await wire.request(60_000)).kind === 'message')
    wire.send(plainAnswer(String(header.addresses?.source.port ?? 'local')));
}

describe('in front of endpoints that want to know the client', () => {
  let raw: ScriptedEndpoint;
  let web: ScriptedEndpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    raw = await ScriptedEndpoint.start(() => {});
    web = await ScriptedEndpoint.start(answering);
    const endpoints = [raw.name];
    const everything = ['alpn', 'authority', 'ssl', 'unique-id', 'crc32c'] as const;
    const proxyProtocol = { from: ['127.0.0.0/8'], required: false };
    pointsman = await startPointsman({
      listeners: [
        ...(['v1', 'v2', 'full'] as const).map((name) => ({
          name,
          address: '127.0.0.1:0',
          protocol: 'tcp' as const,
          proxyProtocol,
          pool: name,
        })),
        { name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] },
      ],
      pools: [
        { name: 'v1', endpoints, proxyProtocol: 'v1' },
        { name: 'v2', endpoints, proxyProtocol: 'v2' },
        { name: 'full', endpoints, proxyProtocol: { version: 'v2', tlvs: [...everything] } },
        { name: 'web', endpoints: [web.name], proxyProtocol: 'v2' },
      ],
    });
  });
  afterAll(async () => {
    await pointsman.stop('SIGKILL');
    await raw[Symbol.asyncDispose]();
    await web[Symbol.asyncDispose]();
  });

  /** The endpoint's end of the session that a client has just begun. */
  async function sessionOf(
    listener: string,
    first: string | Buffer,
  ): Promise<{ client: Wire; endpoint: Wire }> {
    const before = raw.wires.length;
    const client = await dial(pointsman.address(listener));
    client.send(first);
    while (raw.wires.length === before) await Bun.sleep(1);
    return { client, endpoint: raw.wires.at(-1)! };
  }

  for (const [listener, version] of [
    ['v1', 1],
    ['v2', 2],
  ] as const) {
    test(`tcp, ${listener}: the client and where it connected, before its first byte`, async () => {
      const { client, endpoint } = await sessionOf(listener, 'hello');
      const { header } = await introduced(endpoint);
      expect(header).toMatchObject({
        version,
        addresses: {
          source: { ip: '127.0.0.1', port: client.localPort },
          destination: { ip: '127.0.0.1', port: pointsman.address(listener).port },
        },
      });
      await endpoint.until(() => endpoint.text.endsWith('hello'));
      endpoint.send('answer');
      await client.until(() => client.text === 'answer');
      client.close();
    });
  }

  test('tcp: a client that says nothing is introduced all the same', async () => {
    const before = raw.wires.length;
    const client = await dial(pointsman.address('v2'));
    while (raw.wires.length === before) await Bun.sleep(1);
    const { rest } = await introduced(raw.wires.at(-1)!);
    expect(rest).toBe('');
    client.close();
  });

  test('what came in goes out: addresses, TLS, protocol, name, id', async () => {
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', verified: true };
    const uniqueId = Buffer.from('id-1');
    const header = headerV2(CLIENT, { alpn: 'h2', authority: 'a.example', tls, uniqueId, checksum: true });
    const { client, endpoint } = await sessionOf('full', Buffer.concat([header, Buffer.from('x')]));
    expect((await introduced(endpoint)).header).toEqual({
      version: 2,
      addresses: {
        source: { ip: CLIENT, port: CLIENT_PORT },
        destination: { ip: '198.51.100.80', port: 443 },
      },
      alpn: 'h2',
      authority: 'a.example',
      uniqueId,
      tls: { ...tls, secure: true, commonName: '' },
    });
    client.close();
  });

  test('a connection without an id is given one', async () => {
    const ids = new Set<string>();
    for (let turn = 0; turn < 2; turn++) {
      const { client, endpoint } = await sessionOf('full', 'x');
      const { uniqueId } = (await introduced(endpoint)).header;
      expect(uniqueId!.length).toBeGreaterThanOrEqual(16);
      ids.add(uniqueId!.toString());
      client.close();
    }
    expect(ids.size).toBe(2);
  });

  test('http: a connection to an endpoint is for one connection of a client, and used again for it', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => dial(pointsman.address('web'))));
    const before = web.wires.length;
    for (let turn = 0; turn < 3; turn++) {
      for (const client of clients) {
        client.send(get(`/${turn}`));
        expect((await client.answer()).body.toString()).toBe(String(client.localPort));
      }
    }
    expect(web.wires.length - before).toBe(3);
    for (const client of clients) client.close();
  });

  test('http: many clients one after the other', async () => {
    for (let turn = 0; turn < 100; turn++) {
      const client = await dial(pointsman.address('web'));
      client.send(get('/'));
      expect((await client.answer()).body.toString()).toBe(String(client.localPort));
      client.close();
    }
  });

  test('a reload that switches it off: nobody is introduced any more', async () => {
    const endpoint = await ScriptedEndpoint.start();
    const config = {
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    };
    await using one = await startPointsman(config);
    const address = one.address();
    const client = await dial(address);
    client.send(get('/plain'));
    expect((await client.answer()).status).toBe(200);
    const introducing = { ...config, pools: [{ ...config.pools[0]!, proxyProtocol: 'v1' as const }] };
    await one.reload(introducing);
    endpoint.script = answering;
    client.send(get('/introduced'));
    expect((await client.answer()).body.toString()).toBe(String(client.localPort));
    endpoint.script = async (wire) => {
      await wire.request();
      wire.send(plainAnswer('plain'));
    };
    await one.reload(config);
    client.send(get('/plain'));
    expect((await client.answer()).body.toString()).toBe('plain');
    client.close();
    await endpoint[Symbol.asyncDispose]();
  });

  for (const [version, expected] of [
    ['v1', 1],
    ['v2', 2],
  ] as const) {
    test(`health checks say that they are checks, ${version}`, async () => {
      const endpoint = await ScriptedEndpoint.start(async (wire) => {
        const { header, rest } = await introduced(wire);
        wire.cursor = wire.received.length - rest.length;
        if (header.addresses !== undefined || header.version !== expected) return;
        await wire.request();
        wire.send(plainAnswer('checked'));
      });
      await using one = await startPointsman({
        listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
        pools: [
          {
            name: 'web',
            endpoints: [endpoint.name],
            proxyProtocol: version,
            healthCheck: { http: { path: '/' }, interval: '200ms', timeout: '200ms' },
          },
        ],
      });
      const health = async (): Promise<string> =>
        JSON.stringify(await (await fetch(`${one.admin}/api/v1/pools`)).json());
      while (!(await health()).includes('"healthy"')) await Bun.sleep(20);
      await endpoint[Symbol.asyncDispose]();
    });
  }

  testWith('nginx')('HTTP/2 to endpoints: one connection for each of a client, never shared', async () => {
    const [port = 0] = await freePorts(1);
    await using _nginx = await startNginx(
      `http { ${HTTP_PATHS} server { listen 127.0.0.1:${port} proxy_protocol http2; location / { return 200 "$server_protocol $proxy_protocol_port $connection"; } } }`,
      port,
    );
    await using one = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [
        {
          name: 'web',
          protocol: 'h2c',
          proxyProtocol: 'v2',
          endpoints: [`127.0.0.1:${port}`],
          healthCheck: { http: { path: '/' }, interval: '200ms', timeout: '200ms' },
        },
      ],
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => dial(one.address())));
    const connections = new Set<string>();
    for (let turn = 0; turn < 3; turn++) {
      for (const client of clients) client.send(get('/'));
      for (const client of clients) {
        const [protocol, source, connection = ''] = (await client.answer()).body.toString().split(' ');
        expect([protocol, source]).toEqual(['HTTP/2.0', String(client.localPort)]);
        connections.add(connection);
      }
    }
    expect(connections.size).toBe(20);
    for (const client of clients) client.close();
    await untilTrue('a check that passes', async () =>
      (await (await fetch(`${one.admin}/api/v1/pools`)).text()).includes('"healthy"'),
    );
  });

  testWith('haproxy', 'nginx')('HAProxy (accept-proxy) and nginx (proxy_protocol) behind us', async () => {
    const [haproxyPort = 0, nginxPort = 0] = await freePorts(2);
    await using _haproxy = await startHaproxy(
      `frontend f
  bind 127.0.0.1:${haproxyPort} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[fc_pp_authority]"`,
      haproxyPort,
    );
    await using _nginx = await startNginx(
      `http { ${HTTP_PATHS} server { listen 127.0.0.1:${nginxPort} proxy_protocol; location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port "; } } }`,
      nginxPort,
    );
    const ports = { haproxy: haproxyPort, nginx: nginxPort };
    const combinations = (['haproxy', 'nginx'] as const).flatMap((program) =>
      (['v1', 'v2'] as const).map((version) => ({ program, version, name: `${program}-${version}` })),
    );
    await using one = await startPointsman({
      listeners: combinations.flatMap(({ name }) => [
        {
          name: `${name}-http`,
          address: '127.0.0.1:0',
          proxyProtocol: { from: ['127.0.0.0/8'], required: false },
          routes: [{ pool: name }],
        },
        { name: `${name}-tcp`, address: '127.0.0.1:0', protocol: 'tcp' as const, pool: name },
      ]),
      pools: combinations.map(({ program, version, name }) => ({
        name,
        endpoints: [`127.0.0.1:${ports[program]}`],
        proxyProtocol:
          version === 'v1'
            ? version
            : {
                version,
                tlvs: ['authority' as const, 'crc32c' as const, 'unique-id' as const, 'ssl' as const],
              },
      })),
    });
    for (const { name } of combinations) {
      for (const kind of ['http', 'tcp']) {
        const wire = await dial(one.address(`${name}-${kind}`));
        wire.send(get('/'));
        expect((await wire.answer()).body.toString().trim()).toBe(`127.0.0.1:${wire.localPort}`);
        wire.close();
      }
      const client = await dial(one.address(`${name}-http`));
      client.send(
        Buffer.concat([headerV2('2001:db8::7', { authority: 'a.example' }), Buffer.from(get('/'))]),
      );
      const said = (await client.answer()).body.toString().trim();
      expect(said).toStartWith(`2001:db8::7:${CLIENT_PORT}`);
      if (name === 'haproxy-v2') expect(said).toEndWith('a.example');
      client.close();
    }
    expect((await ask(one.address('nginx-v2-http'), get('/'))).status).toBe(200);
  });
});

testWith('openssl')(
  'TLS handshakes of health checks begin with a header too, in both versions',
  async () => {
    using ca = new TestCa();
    ca.issue('live', { names: ['a.example'] });
    const tls = {
      certificates: [{ cert: ca.file('live.pem'), key: ca.file('live.key') }],
      alpn: ['http/1.1'],
    };
    const proxyProtocol = { from: ['127.0.0.0/8'], required: true };
    await using endpoint = await startPointsman({
      listeners: [
        { name: 'in', address: '127.0.0.1:0', tls, proxyProtocol, routes: [{ reply: { status: 200 } }] },
      ],
    } as TestConfig);
    const { host, port } = endpoint.address('in');
    const checked = { endpoints: [`${host}:${port}`] };
    const healthCheck = {
      tls: { sni: 'a.example', ca: ca.file('ca.pem') },
      interval: '4s',
      fall: 1,
      timeout: '4s',
    };
    const names = ['v1', 'v2', 'none'] as const;
    await using front = await startPointsman({
      listeners: names.map((name) => ({ name, address: '127.0.0.1:0', protocol: 'tcp', pool: name })),
      pools: [
        { ...checked, name: 'v1', proxyProtocol: 'v1', healthCheck },
        { ...checked, name: 'v2', proxyProtocol: 'v2', healthCheck },
        {
          ...checked,
          name: 'none',
          proxyProtocol: 'v2',
          healthCheck: { ...healthCheck, proxyProtocol: false },
        },
      ],
    });
    const healthOf = async (pool: string): Promise<string> => {
      const report = (await (await fetch(`${front.admin}/api/v1/pools/${pool}`)).json()) as PoolReport;
      return report.endpoints[0]!.state.health;
    };
    await untilTrue(
      'the first checks',
      async () => !(await Promise.all(names.map(healthOf))).includes('unknown'),
    );
    expect(await Promise.all(names.map(healthOf))).toEqual(['healthy', 'healthy', 'unhealthy']);
  },
  30_000,
);
