import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

import { TestCa } from '../support/certificates.ts';
import { freePorts } from '../support/free-ports.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

const testOpenssl = testWith('openssl');

function get(pointsman: Pointsman): Promise<HttpMessage> {
  return ask(pointsman.address(), 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
}

/** An endpoint that speaks TLS and closes as it is told, in the test process. */
interface TlsEndpoint extends Disposable {
  readonly port: number;
  readonly sockets: tls.TLSSocket[];
}

/** `openssl s_server`: what refuses certificates with an alert, as servers in C do. */
class OpensslServer implements Disposable {
  /** It accepts connections. */
  readonly ready: Promise<void>;
  readonly #process: Bun.Subprocess<'pipe', 'pipe', 'ignore'>;

  constructor(args: string) {
    this.#process = Bun.spawn(['openssl', 's_server', ...args.split(' ')], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.ready = this.#accepts();
  }

  async #accepts(): Promise<void> {
    const decoder = new TextDecoder();
    let said = '';
    for await (const piece of this.#process.stdout) {
      said += decoder.decode(piece);
      if (said.includes('ACCEPT')) return;
    }
    throw new Error(`openssl s_server ended: ${said}`);
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }
}

describe('TLS towards endpoints', () => {
  let ca: TestCa;

  beforeAll(() => {
    ca = new TestCa();
    ca.issue('endpoint.example', { names: ['endpoint.example', 'IP:127.0.0.1'] });
    ca.issue('pointsman.example');
    ca.issue('expired.example', { days: 0 });
  });

  afterAll(() => ca[Symbol.dispose]());

  async function endpoint(
    name: string,
    answer: (socket: tls.TLSSocket, request: string) => void,
    more: tls.TlsOptions = {},
  ): Promise<TlsEndpoint> {
    const sockets: tls.TLSSocket[] = [];
    const server = tls.createServer(
      { cert: readFileSync(ca.file(`${name}.pem`)), key: readFileSync(ca.file(`${name}.key`)), ...more },
      (socket) => {
        sockets.push(socket);
        socket.on('error', () => {});
        socket.on('data', (data: Buffer) => answer(socket, data.toString('latin1')));
      },
    );
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return {
      port,
      sockets,
      [Symbol.dispose]: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    };
  }

  const hello = (socket: tls.TLSSocket): void => {
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: ${String(socket.servername)}\r\nX-Resumed: ${socket.isSessionReused()}\r\n\r\nhi`,
    );
  };

  function front(port: number, more: NonNullable<TestConfig['pools']>[number]['tls'], pool = {}): TestConfig {
    return {
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [
        {
          name: 'web',
          endpoints: [`127.0.0.1:${port}`],
          retry: { attempts: 1 },
          tls: { ca: ca.cert, ...more },
          ...pool,
        },
      ],
    };
  }

  testOpenssl('verified by name and by address, resumed, and kept open', async () => {
    using one = await endpoint('endpoint.example', hello);
    await using pointsman = await startPointsman(front(one.port, { sni: 'endpoint.example' }));
    const first = await get(pointsman);
    expect(first.status).toBe(200);
    expect(valueOf(first, 'x-name')).toBe('endpoint.example');
    await get(pointsman);
    expect(one.sockets.length).toBe(1);
    one.sockets[0]!.destroy();
    await Bun.sleep(50);
    const again = await get(pointsman);
    expect(again.status).toBe(200);
    expect(valueOf(again, 'x-resumed')).toBe('true');
    await pointsman.reload(front(one.port, {}));
    expect((await get(pointsman)).status).toBe(200);
  });

  testOpenssl('a certificate that is not the right one is 502 with its reason', async () => {
    using one = await endpoint('endpoint.example', hello);
    using expired = await endpoint('expired.example', hello);
    using other = new TestCa('Another');
    await using pointsman = await startPointsman(front(one.port, { sni: 'other.example' }));
    const reasons: string[] = [];
    const refused = async (): Promise<void> => {
      const response = await get(pointsman);
      expect(response.status).toBe(502);
      reasons.push(valueOf(response, 'proxy-status') ?? '');
    };
    await refused();
    await pointsman.reload(front(one.port, { ca: other.cert }));
    await refused();
    await pointsman.reload(front(expired.port, { sni: 'expired.example' }));
    await refused();
    for (const reason of reasons) expect(reason).toContain('tls_certificate_error');
    await pointsman.reload(front(one.port, { ca: other.cert, sni: 'other.example', verify: false }));
    expect((await get(pointsman)).status).toBe(200);
  });

  testOpenssl('our own certificate is shown to who asks', async () => {
    using one = await endpoint('endpoint.example', hello, { requestCert: true, ca: ca.pem });
    const own = { cert: ca.file('pointsman.example.pem'), key: ca.file('pointsman.example.key') };
    await using pointsman = await startPointsman(front(one.port, { clientCertificate: own }));
    expect((await get(pointsman)).status).toBe(200);
    await pointsman.reload(front(one.port, {}));
    expect((await get(pointsman)).status).toBe(502);
  });

  for (const version of ['tls1_2', 'tls1_3'])
    testOpenssl(
      `who wants a certificate that we have not is told apart, and nothing was sent: ${version}`,
      async () => {
        const [port] = await freePorts(1);
        const files = `-cert ${ca.file('endpoint.example.pem')} -key ${ca.file('endpoint.example.key')} -CAfile ${ca.cert}`;
        using strict = new OpensslServer(
          `-accept 127.0.0.1:${port} -${version} ${files} -Verify 1 -verify_return_error`,
        );
        await strict.ready;
        using lenient = await endpoint('endpoint.example', hello);
        await using pointsman = await startPointsman(front(port!, {}));
        const refused = await get(pointsman);
        expect([refused.status, valueOf(refused, 'proxy-status')]).toEqual([
          502,
          expect.stringContaining('error=tls_alert_received; details="tls_alert'),
        ]);
        const both = {
          policy: 'first',
          endpoints: [`127.0.0.1:${port}`, `127.0.0.1:${lenient.port}`],
        } as const;
        await pointsman.reload(front(port!, {}, both));
        const post = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n';
        expect((await ask(pointsman.address(), post)).status).toBe(200);
      },
    );

  testOpenssl('a body that ends with the connection is whole after close_notify', async () => {
    const head = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n';
    using whole = await endpoint('endpoint.example', (socket) => socket.end(`${head}all of it`));
    await using pointsman = await startPointsman(front(whole.port, {}));
    expect((await get(pointsman)).body.toString()).toBe('all of it');
  });

  testOpenssl('sessions of a tcp listener are sealed towards the endpoint', async () => {
    using one = await endpoint('endpoint.example', hello);
    const config = front(one.port, { sni: 'endpoint.example' });
    await using pointsman = await startPointsman({
      ...config,
      listeners: [{ name: 'bytes', address: '127.0.0.1:0', protocol: 'tcp', pool: 'web' }],
    });
    const answered = await ask(pointsman.address(), 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(answered.status).toBe(200);
    expect(valueOf(answered, 'x-name')).toBe('endpoint.example');
  });

  testOpenssl('health checks speak TLS too', async () => {
    using one = await endpoint('endpoint.example', hello);
    const checked = {
      healthCheck: { http: { path: '/health' }, interval: '100ms', timeout: '90ms', fall: 1, rise: 1 },
    };
    await using pointsman = await startPointsman(front(one.port, {}, checked));
    const state = async (): Promise<unknown> => {
      const answered = await fetch(`${pointsman.admin}/api/v1/pools/web`);
      return ((await answered.json()) as { endpoints: { state: { health: string } }[] }).endpoints[0]!.state
        .health;
    };
    const until = async (wanted: string): Promise<void> => {
      const deadline = performance.now() + 20_000;
      while ((await state()) !== wanted) {
        if (performance.now() > deadline) throw new Error(`never ${wanted}`);
        await Bun.sleep(20);
      }
    };
    await until('healthy');
    await pointsman.reload(front(one.port, { sni: 'other.example' }, checked));
    await until('unhealthy');
  });
});
