import { describe, expect } from 'bun:test';
import { writeFileSync } from 'node:fs';

import { cli } from '../support/cli.ts';
import { openssl, opensslTalk, TestCa } from '../support/certificates.ts';
import { startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';

const testOpenssl = testWith('openssl');
const testCurl = testWith('openssl', 'curl');

describe('TLS, more of it', () => {
  testOpenssl('an OCSP response is shown to who asks for it', async () => {
    using ca = new TestCa();
    await using endpoint = await ScriptedEndpoint.start();
    const certificate = ca.issue('a.example');
    const response = ca.file('ocsp.der');
    const serial = openssl(`x509 -in ${certificate.cert} -noout -serial`).trim().replace('serial=', '');
    writeFileSync(ca.file('index.txt'), `V\t350101000000Z\t\t${serial}\tunknown\t/CN=a.example\n`);
    const asked = `-issuer ${ca.cert} -cert ${certificate.cert} -no_nonce -reqout ${ca.file('request.der')}`;
    openssl(`ocsp ${asked}`);
    const signer = `-CA ${ca.cert} -rsigner ${ca.cert} -rkey ${ca.file('ca.key')}`;
    openssl(
      `ocsp -index ${ca.file('index.txt')} ${signer} -ndays 7 -reqin ${ca.file('request.der')} -respout ${response}`,
    );
    await using pointsman = await startPointsman({
      listeners: [
        {
          name: 'secure',
          address: '127.0.0.1:0',
          tls: { certificates: [{ ...certificate, ocspResponse: response }] },
          routes: [{ pool: 'web' }],
        },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    const { port } = pointsman.address('secure');
    const at = `s_client -connect 127.0.0.1:${port} -servername a.example`;
    for (const version of ['-tls1_3', '-tls1_2']) {
      const said = await opensslTalk(`${at} ${version} -status`);
      expect(said).toContain('OCSP Response Status: successful (0x0)');
      expect(said).toContain('Cert Status: good');
      expect(await opensslTalk(`${at} ${version}`)).not.toContain('OCSP Response Status');
    }
  });

  testCurl('curl speaks HTTP/2 or HTTP/1.1 as it likes; plain http is sent to https', async () => {
    using ca = new TestCa();
    await using endpoint = await ScriptedEndpoint.start();
    const certificates = [ca.issue('a.example')];
    await using pointsman = await startPointsman({
      listeners: [
        { name: 'secure', address: '127.0.0.1:0', tls: { certificates }, routes: [{ pool: 'web' }] },
        {
          name: 'plain',
          address: '127.0.0.1:0',
          routes: [{ redirect: { scheme: 'https', port: 8443, status: 301 } }],
        },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
    const { port } = pointsman.address('secure');
    const curl = async (...args: string[]): Promise<string> => {
      const resolved = [
        '--cacert',
        ca.cert,
        '--resolve',
        `a.example:${port}:127.0.0.1`,
        '-sS',
        '-o',
        '/dev/null',
      ];
      const child = Bun.spawn(['curl', ...resolved, ...args], { stdout: 'pipe', stderr: 'pipe' });
      return (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
    };
    const url = `https://a.example:${port}/x`;
    const written = '%{http_version} %{http_code} %{redirect_url}';
    expect(await curl('--http2', '-w', written, url)).toBe('2 200 ');
    expect(await curl('--http1.1', '-w', written, url)).toBe('1.1 200 ');
    const plain = `http://127.0.0.1:${pointsman.address('plain').port}/a/b?c=d`;
    expect(await curl('-H', 'Host: a.example', '-w', written, plain)).toBe(
      '1.1 301 https://a.example:8443/a/b?c=d',
    );
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    expect(metrics).toContain('pointsman_tls_handshakes_total{listener="secure"} 2');
  });

  testOpenssl(
    'check tells what only the library knows; explain finds the listener by the scheme',
    async () => {
      using ca = new TestCa();
      ca.issue('a.example');
      const file = ca.file('pointsman.yaml');
      const write = (more: string): void =>
        writeFileSync(
          file,
          `listeners:
  - { name: plain, address: ":8080", routes: [{ redirect: { scheme: https, port: 8443 } }] }
  - { name: secure, address: ":8443", tls: { certificates: [{ cert: a.example.pem, key: a.example.key }]${more} }, routes: [{ pool: web }] }
pools: [{ name: web, endpoints: [10.0.0.1:80] }]
`,
        );
      write(', ciphers: [NO-SUCH-CIPHER]');
      const refused = await cli(['check', '-c', file]);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain('listener secure: TLS: ciphers: no cipher match');
      write('');
      expect((await cli(['check', '-c', file])).code).toBe(0);
      const secure = await cli(['explain', 'GET', 'https://a.example/x', '-c', file]);
      expect(secure.out).toContain('listener  secure');
      const plain = await cli(['explain', 'GET', 'http://a.example/x?y=1', '-c', file]);
      expect(plain.out).toContain('https://a.example:8443/x?y=1');
    },
  );
});
