import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

import * as grpc from '@grpc/grpc-js';

import { parseProxyHeader } from '../../src/net/proxy-protocol/parse-proxy-header.ts';
import { CAPTURED_HELLOS } from '../support/captured-hellos.ts';
import { type Issued, TestCa } from '../support/certificates.ts';
import { clientHello } from '../support/client-hello.ts';
import { type ConfiguredProgram, startNginx } from '../support/configured-program.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { CLIENT, headerV2 } from '../support/proxy-header.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { dial } from '../support/wire.ts';

const HTTP_PATHS =
  'access_log off; client_body_temp_path $directory/b; proxy_temp_path $directory/p; fastcgi_temp_path $directory/f; uwsgi_temp_path $directory/u; scgi_temp_path $directory/s;';

/** One call with a message each way, told apart from HTTP by nothing but its frames. */
const ECHO = {
  say: {
    path: '/test.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: Buffer) => value,
    requestDeserialize: (value: Buffer) => value,
    responseSerialize: (value: Buffer) => value,
    responseDeserialize: (value: Buffer) => value,
  },
} as const;

async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return out + err;
}

describe('TLS by name, not decrypted', () => {
  let ca: TestCa;
  let issued: Issued;
  let nginx: ConfiguredProgram | undefined;
  let raw: ScriptedEndpoint;
  let pointsman: Pointsman;
  let grpcServer: grpc.Server;

  beforeAll(async () => {
    ca = new TestCa();
    issued = ca.issue('all', {
      names: ['a.example', 'b.example', 'www.sub.example', 'other.test', 'localhost'],
    });
    const own = ca.issue('own.example');
    const [a = 0, b = 0, wild = 0, rest = 0, http2 = 0, gone = 0] = await freePorts(6);
    const server = (port: number, says: string, more = ''): string =>
      `server { listen 127.0.0.1:${port} ssl ${more}; ssl_certificate ${issued.cert}; ssl_certificate_key ${issued.key};
        location / { return 200 "${says} $ssl_server_name $server_protocol\\n"; } }`;
    const servers = [
      server(a, 'a'),
      server(b, 'b'),
      server(wild, 'wild'),
      server(rest, 'rest'),
      server(http2, 'h2', 'http2'),
    ];
    if (Bun.which('nginx', { PATH: `${process.env['PATH']}:/usr/sbin` }) !== null)
      nginx = await startNginx(`http { ${HTTP_PATHS} ${servers.join('\n')} }`, a);
    raw = await ScriptedEndpoint.start(() => {});
    grpcServer = new grpc.Server();
    grpcServer.addService(ECHO, {
      say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, Buffer.concat([Buffer.from('you said '), call.request])),
    });
    const credentials = grpc.ServerCredentials.createSsl(null, [
      { cert_chain: readFileSync(issued.cert), private_key: readFileSync(issued.key) },
    ]);
    const grpcPort = await new Promise<number>((resolve, reject) =>
      grpcServer.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    const pool = (name: string, port: number) => ({ name, endpoints: [`127.0.0.1:${port}`] });
    pointsman = await startPointsman({
      accessLog: {
        path: 'stdout',
        format: '${listener} ${route} ${serverName} ${alpn} ${endpoint} ${failure}',
      },
      listeners: [
        {
          name: 'tls',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          routes: [
            { name: 'grpc', match: { sni: 'localhost', alpn: 'h2' }, pool: 'grpc' },
            { name: 'h2', match: { sni: ['a.example', 'b.example'], alpn: ['h2'] }, pool: 'http2' },
            { name: 'a', match: { sni: 'a.example' }, pool: 'a' },
            { name: 'b', match: { sni: 'b.example' }, split: [{ pool: 'b', weight: 1 }] },
            { name: 'wild', match: { sni: '*.sub.example' }, pool: 'wild' },
            { name: 'unnamed', match: { alpn: 'unnamed' }, pool: 'rest' },
          ],
        },
        {
          name: 'mixed',
          address: '127.0.0.1:0',
          proxyProtocol: { from: ['127.0.0.0/8'], required: false },
          tls: { certificates: [own] },
          passThrough: [
            { name: 'theirs', match: { sni: ['a.example', '*.sub.example'] }, pool: 'a' },
            { match: { sni: 'gone.example' }, pool: 'gone' },
            { name: 'introduced', match: { sni: 'www.example.com' }, pool: 'raw' },
          ],
          routes: [{ reply: { status: 200, body: 'ours' } }],
        },
        {
          name: 'raw',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          routes: [{ pool: 'raw' }],
        },
        {
          name: 'soon',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          timeouts: { clientHello: '200ms' },
          routes: [{ pool: 'raw' }],
        },
      ],
      pools: [
        pool('a', a),
        pool('b', b),
        pool('wild', wild),
        pool('rest', rest),
        pool('gone', gone),
        pool('http2', http2),
        pool('grpc', grpcPort),
        {
          ...pool('raw', 0),
          endpoints: [raw.name],
          proxyProtocol: { version: 'v2', tlvs: ['authority'] },
        },
      ],
    });
  });
  afterAll(async () => {
    await pointsman.stop('SIGKILL');
    await nginx?.[Symbol.asyncDispose]();
    await raw[Symbol.asyncDispose]();
    grpcServer.forceShutdown();
    ca[Symbol.dispose]();
  });

  const curl = (host: string, ...more: string[]): Promise<string> => curlTo('tls', host, ...more);

  const curlTo = (listener: string, host: string, ...more: string[]): Promise<string> => {
    const { port } = pointsman.address(listener);
    const resolve = `${host}:${port}:127.0.0.1`;
    return run('curl', '-sS', '--cacert', ca.cert, '--resolve', resolve, ...more, `https://${host}:${port}/`);
  };

  async function logged(line: string): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!pointsman.logs().includes(line)) {
      if (performance.now() > deadline) throw new Error(`not logged: ${line} in\n${pointsman.logs()}`);
      await Bun.sleep(5);
    }
  }

  testWith('nginx', 'curl')('curl: each name goes to its servers, who end TLS themselves', async () => {
    expect(await curl('a.example', '--http1.1')).toBe('a a.example HTTP/1.1\n');
    expect(await curl('b.example', '--http1.1')).toBe('b b.example HTTP/1.1\n');
    expect(await curl('www.sub.example', '--http1.1')).toBe('wild www.sub.example HTTP/1.1\n');
    await logged('tls wild www.sub.example http/1.1 127.0.0.1:');
  });

  testWith('nginx', 'curl')('curl: HTTP/2 goes elsewhere, by ALPN', async () => {
    expect(await curl('a.example', '--http2')).toBe('h2 a.example HTTP/2.0\n');
    await logged('tls h2 a.example h2,http/1.1 127.0.0.1:');
  });

  testWith('curl')('curl: a name that no route takes is told so', async () => {
    expect(await curl('other.test')).toContain('unrecognized name');
    await logged('tls - other.test h2,http/1.1 - hello_no_route');
  });

  testWith('openssl', 'nginx')('openssl: with a name, without one, with an old version', async () => {
    const connect = `127.0.0.1:${pointsman.address('tls').port}`;
    const client = (...more: string[]): Promise<string> =>
      run('openssl', 's_client', '-connect', connect, '-CAfile', ca.cert, '-verify_return_error', ...more);
    expect(await client('-servername', 'a.example', '-tls1_2')).toContain('Verify return code: 0 (ok)');
    expect(await client('-servername', 'b.example', '-tls1_3')).toContain('Verification: OK');
    expect(await client('-noservername', '-alpn', 'unnamed')).toContain('Verification: OK');
    expect(await client('-noservername')).toContain('alert number 112');
    expect(await client('-servername', 'x.test')).toContain('alert number 112');
  });

  testWith('nginx')('a session is resumed, for the keys are those of the endpoint', async () => {
    const { port } = pointsman.address('tls');
    const options = {
      host: '127.0.0.1',
      port,
      servername: 'a.example',
      ca: readFileSync(ca.cert),
      maxVersion: 'TLSv1.2' as const,
    };
    const session = await new Promise<Buffer>((resolve, reject) => {
      const socket = tls.connect(options);
      socket.once('error', reject);
      socket.once('session', (bytes) => {
        socket.end();
        resolve(bytes);
      });
    });
    const reused = await new Promise<boolean>((resolve, reject) => {
      const socket = tls.connect({ ...options, session }, () => {
        resolve(socket.isSessionReused());
        socket.end();
      });
      socket.once('error', reject);
    });
    expect(reused).toBe(true);
  });

  test('gRPC: calls over one connection, passed through', async () => {
    const Echo = grpc.makeGenericClientConstructor(ECHO, 'Echo');
    const { port } = pointsman.address('tls');
    const client = new Echo(`127.0.0.1:${port}`, grpc.credentials.createSsl(readFileSync(ca.cert)), {
      'grpc.ssl_target_name_override': 'localhost',
      'grpc.default_authority': 'localhost',
    });
    const say = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        client['say']!(Buffer.from(text), (error: Error | null, answer?: Buffer) =>
          error === null ? resolve(String(answer)) : reject(error),
        );
      });
    const large = 'x'.repeat(300_000);
    expect(await say('hello')).toBe('you said hello');
    expect(await Promise.all(['a', 'b', large].map(say))).toEqual([
      'you said a',
      'you said b',
      `you said ${large}`,
    ]);
    client.close();
    await logged('tls grpc localhost h2 127.0.0.1:');
  });

  testWith('nginx', 'curl')('a listener that ends TLS passes some names on', async () => {
    for (let turn = 0; turn < 3; turn++) {
      expect(await curlTo('mixed', 'a.example', '--http1.1')).toBe('a a.example HTTP/1.1\n');
      expect(await curlTo('mixed', 'www.sub.example', '--http1.1')).toBe('a www.sub.example HTTP/1.1\n');
      expect(await curlTo('mixed', 'own.example')).toBe('ours');
    }
    expect(await curlTo('mixed', 'gone.example')).toMatch(/reset|SSL/i);
    await logged('mixed theirs a.example http/1.1 127.0.0.1:');
    await logged('mixed passThrough[1] gone.example');
    let metrics = '';
    await untilTrue('the end of all connections', async () => {
      metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
      return /pointsman_listener_open_connections\{listener="mixed"\} 0/.test(metrics);
    });
    expect(metrics).toMatch(/pointsman_route_requests_total\{listener="tls",route="a"\} [1-9]/);
    const routes = metrics.matchAll(
      /pointsman_route_requests_total\{listener="mixed",route="([^"]*)"\} (\d+)/g,
    );
    expect([...routes].map(([, route, count]) => `${route} ${count}`)).toEqual([
      'routes[0] 3',
      'theirs 6',
      'passThrough[1] 1',
      'introduced 0',
    ]);
  });

  test('... with a header before TLS, and behind it what came in', async () => {
    const before = raw.wires.length;
    const hello = clientHello({ serverName: 'www.example.com' });
    const wire = await dial(pointsman.address('mixed'));
    wire.send(Buffer.concat([headerV2(), hello.subarray(0, 40)]));
    await Bun.sleep(20);
    wire.send(hello.subarray(40));
    while (raw.wires.length === before) await Bun.sleep(1);
    const endpoint = raw.wires.at(-1)!;
    await endpoint.until(() => endpoint.received.subarray(-hello.length).equals(hello));
    expect(parseProxyHeader(endpoint.received)).toMatchObject({
      kind: 'header',
      header: { authority: 'www.example.com', addresses: { source: { ip: CLIENT } } },
    });
    endpoint.send('from the endpoint');
    await wire.until(() => wire.text === 'from the endpoint');
    wire.close();
  });

  for (const [name, base64] of Object.entries(CAPTURED_HELLOS)) {
    test(`${name}: the endpoint gets what the client sent, byte by byte`, async () => {
      const hello = Buffer.from(base64, 'base64');
      const before = raw.wires.length;
      const wire = await dial(pointsman.address('raw'));
      for (let at = 0; at < hello.length; at += 100) {
        wire.send(hello.subarray(at, at + 100));
        await Bun.sleep(1);
      }
      while (raw.wires.length === before) await Bun.sleep(1);
      const endpoint = raw.wires.at(-1)!;
      let verdict = parseProxyHeader(endpoint.received);
      await endpoint.until(() => {
        verdict = parseProxyHeader(endpoint.received);
        return verdict.kind === 'header' && endpoint.received.length === verdict.end + hello.length;
      }, 5000);
      if (verdict.kind !== 'header') throw new Error(verdict.kind);
      const named = name.includes('-noservername')
        ? ''
        : name.includes('localhost')
          ? 'localhost'
          : 'www.example.com';
      expect(verdict.header.authority).toBe(named);
      expect(endpoint.received.subarray(verdict.end).equals(hello)).toBe(true);
      wire.close();
    });
  }

  test('what is no TLS is closed at once, what is slow after its time', async () => {
    const plain = await dial(pointsman.address('tls'));
    plain.send(get('/'));
    await plain.untilEnd();
    expect(plain.text).toBe('');
    const slow = await dial(pointsman.address('soon'));
    slow.send(clientHello({ serverName: 'a.example' }).subarray(0, 30));
    await slow.untilEnd();
    await logged('tls - - - - hello_not_tls');
    await logged('soon - - - - hello_timeout');
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    expect(metrics).toMatch(
      /listener="soon",code="hello_timeout"\} 1|code="hello_timeout",listener="soon"\} 1/,
    );
  });
});
