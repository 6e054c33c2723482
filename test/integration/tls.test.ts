import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { openssl, TestCa } from '../support/certificates.ts';
import { cli } from '../support/cli.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import { TlsWire } from '../support/tls-client.ts';

const testOpenssl = testWith('openssl');

describe('TLS on a listener', () => {
  let ca: TestCa;
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    ca = new TestCa();
    const a = ca.issue('a.example', { kind: 'rsa' });
    const aEc = ca.issue('a-ec.example', { names: ['a.example'] });
    const b = ca.issue('b.example', { names: ['b.example', '*.b.example'], passphrase: 'secret' });
    ca.issue('client.example');
    await Bun.write(ca.file('passphrase'), 'secret\n');
    endpoint = await ScriptedEndpoint.start();
    const certificates = [a, aEc, { ...b, passphraseFile: ca.file('passphrase') }];
    const routes = [{ pool: 'web' }];
    pointsman = await startPointsman({
      listeners: [
        { name: 'secure', address: '127.0.0.1:0', tls: { certificates, hsts: { maxAge: '1d' } }, routes },
        {
          name: 'strict',
          address: '127.0.0.1:0',
          tls: { certificates, strictSni: true, minVersion: '1.3' },
          routes,
        },
        {
          name: 'mutual',
          address: '127.0.0.1:0',
          tls: { certificates, clientCertificate: { ca: ca.cert } },
          routes,
        },
        {
          name: 'optional',
          address: '127.0.0.1:0',
          tls: { certificates, clientCertificate: { ca: ca.cert, mode: 'optional' } },
          routes,
        },
        { name: 'old', address: '127.0.0.1:0', tls: { certificates, maxVersion: '1.2' }, routes },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
  });

  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
    ca[Symbol.dispose]();
  });

  const connect = (
    listener: string,
    servername: string,
    more: Parameters<typeof TlsWire.connect>[1] = {},
  ): Promise<TlsWire> => TlsWire.connect(pointsman.address(listener), { servername, ca: ca.pem, ...more });

  testOpenssl('status lists the certificates, those that expire first at the top', async () => {
    const status = await cli(['status', '--admin', pointsman.admin]);
    expect(status.out).toMatch(/^CERTIFICATE +EXPIRES +LEFT +KEY +LISTENER$/m);
    expect(status.out).toMatch(/^b\.example, \*\.b\.example +\d{4}-\d\d-\d\d +29 d 23 h +ec +strict$/m);
    const json = JSON.parse((await cli(['status', '--admin', pointsman.admin, '--json'])).out) as {
      certificates: { names: string[]; secondsLeft: number }[];
    };
    expect(json.certificates).toHaveLength(15);
    expect(json.certificates[0]!.secondsLeft).toBeWithin(29 * 86_400, 30 * 86_400 + 1);
  });

  testOpenssl('requests one after the other on a connection, by TLS 1.3 and 1.2', async () => {
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const wire = await connect('secure', 'a.example', { maxVersion: version });
      expect(wire.socket.getProtocol()).toBe(version);
      for (let round = 0; round < 3; round++) {
        const response = await wire.get(`/${round}`, 'a.example');
        expect(response.body.toString()).toBe(`GET /${round} 0`);
        expect(valueOf(response, 'strict-transport-security')).toBe('max-age=86400');
      }
      wire.close();
    }
    const [request] = endpoint.requests().slice(-1);
    expect(valuesOf(request!, 'x-forwarded-proto')).toEqual(['https']);
    expect(valueOf(request!, 'forwarded')).toContain('proto=https');
  });

  testOpenssl('the certificate is chosen by name: exact, wildcard, default', async () => {
    const subjectFor = async (servername: string): Promise<string> => {
      const wire = await connect('secure', servername, { rejectUnauthorized: false });
      const { CN } = wire.socket.getPeerCertificate().subject;
      wire.close();
      return String(CN);
    };
    expect(await subjectFor('b.example')).toBe('b.example');
    expect(await subjectFor('deep.B.example')).toBe('b.example');
    expect(await subjectFor('two.deep.b.example')).toMatch(/^a(-ec)?\.example$/);
    expect(await subjectFor('nobody.example')).toMatch(/^a(-ec)?\.example$/);
  });

  testOpenssl('RSA and ECDSA for one name, each for who can verify it', async () => {
    const { port } = pointsman.address('secure');
    const said = (sigalgs: string): string =>
      openssl(`s_client -connect 127.0.0.1:${port} -servername a.example -tls1_2 -sigalgs ${sigalgs}`);
    expect(said('ECDSA+SHA256')).toContain('subject=CN = a-ec.example');
    expect(said('RSA-PSS+SHA256')).toContain('subject=CN = a.example');
  });

  testOpenssl('strict: a name that there is not, and a version that is too old, are refused', async () => {
    expect(connect('strict', 'nobody.example')).rejects.toThrow();
    expect(connect('strict', 'a.example', { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    const wire = await connect('strict', 'a.example');
    expect((await wire.get('/', 'a.example')).status).toBe(200);
    wire.close();
    const old = await connect('old', 'a.example');
    expect(old.socket.getProtocol()).toBe('TLSv1.2');
    expect((await old.get('/', 'a.example')).status).toBe(200);
    old.close();
  });

  testOpenssl('a host whose certificate is another gets 421', async () => {
    const wire = await connect('secure', 'a.example');
    expect((await wire.get('/', 'a.example')).status).toBe(200);
    const misdirected = await wire.get('/', 'b.example');
    expect(misdirected.status).toBe(421);
    expect((await wire.get('/', 'A.EXAMPLE:443')).status).toBe(200);
    wire.close();
  });

  testOpenssl('client certificates: required, optional, passed on, and not to be claimed', async () => {
    const own = {
      cert: readFileSync(ca.file('client.example.pem')),
      key: readFileSync(ca.file('client.example.key')),
    };
    const wire = await connect('mutual', 'a.example', own);
    await wire.get('/', 'a.example', 'Client-Cert: :AAAA:\r\nClient_Cert: x\r\n');
    wire.close();
    const [request] = endpoint.requests().slice(-1);
    const [sent = '', ...others] = valuesOf(request!, 'client-cert');
    expect(others).toEqual([]);
    expect(valuesOf(request!, 'client_cert')).toEqual([]);
    const der = Buffer.from(sent.slice(1, -1), 'base64');
    expect(readFileSync(ca.file('client.example.pem'), 'utf8').replaceAll(/\s|-----[^-]+-----/g, '')).toBe(
      der.toString('base64'),
    );
    const anonymous = await connect('optional', 'a.example');
    await anonymous.get('/', 'a.example', 'Client-Cert: :AAAA:\r\n');
    anonymous.close();
    expect(valuesOf(endpoint.requests().slice(-1)[0]!, 'client-cert')).toEqual([]);
    const without = connect('mutual', 'a.example', { maxVersion: 'TLSv1.2' });
    expect(without).rejects.toThrow();
    using other = new TestCa('Another');
    const foreign = other.issue('client.example');
    const wrong = {
      cert: readFileSync(foreign.cert),
      key: readFileSync(foreign.key),
      maxVersion: 'TLSv1.2',
    } as const;
    expect(connect('optional', 'a.example', wrong)).rejects.toThrow();
  });

  testOpenssl(
    '100 MiB down and up, byte for byte',
    async () => {
      const size = 100 * 1024 * 1024;
      const piece = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 31) % 251));
      const expected = createHash('sha256');
      for (let sent = 0; sent < size; sent += piece.length) expected.update(piece);
      const digest = expected.digest('hex');
      using big = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        maxRequestBodySize: size * 2,
        async fetch(request) {
          if (request.method === 'PUT') {
            const hash = createHash('sha256');
            for await (const chunk of request.body!) hash.update(chunk);
            return new Response(hash.digest('hex'));
          }
          let sent = 0;
          return new Response(
            new ReadableStream({
              pull(controller) {
                if (sent === size) controller.close();
                else controller.enqueue(piece);
                sent = Math.min(size, sent + piece.length);
              },
            }),
          );
        },
      });
      await using front = await startPointsman({
        listeners: [
          {
            name: 'secure',
            address: '127.0.0.1:0',
            tls: { certificates: [{ cert: ca.file('a.example.pem'), key: ca.file('a.example.key') }] },
            routes: [{ pool: 'web' }],
          },
        ],
        pools: [{ name: 'web', endpoints: [`127.0.0.1:${big.port}`] }],
      });
      const { port } = front.address('secure');
      const tls = { ca: ca.pem, serverName: 'a.example' };
      const url = `https://127.0.0.1:${port}/`;
      const down = await fetch(url, { tls, headers: { host: 'a.example' } });
      const hash = createHash('sha256');
      for await (const chunk of down.body!) hash.update(chunk);
      expect(hash.digest('hex')).toBe(digest);
      const body = Buffer.concat(Array.from({ length: size / piece.length }, () => piece));
      const up = await fetch(url, { tls, method: 'PUT', body, headers: { host: 'a.example' } });
      expect(await up.text()).toBe(digest);
    },
    60_000,
  );
});
