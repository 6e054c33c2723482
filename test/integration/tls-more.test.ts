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
  /** The OCSP response for a certificate, made by its authority. */
  function ocspResponse(ca: TestCa, name: string, cert: string): string {
    const [index, request, response] = ['index.txt', 'request.der', 'ocsp.der'].map((one) =>
      ca.file(`${name}-${one}`),
    );
    const serial = openssl(`x509 -in ${cert} -noout -serial`).trim().replace('serial=', '');
    writeFileSync(index!, `V\t350101000000Z\t\t${serial}\tunknown\t/CN=${name}\n`);
    openssl(`ocsp -issuer ${ca.cert} -cert ${cert} -no_nonce -reqout ${request}`);
    const signer = `-CA ${ca.cert} -rsigner ${ca.cert} -rkey ${ca.file('ca.key')}`;
    openssl(`ocsp -index ${index} ${signer} -ndays 7 -reqin ${request} -respout ${response}`);
    return response!;
  }

  testOpenssl(
    'an OCSP response is shown to who asks for it, that of the certificate',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      const names = ['a.example'];
      const first = ca.issue('ec', { names });
      const second = ca.issue('rsa', { names, kind: 'rsa' });
      const bare = ca.issue('b.example');
      const serial = (one: string): string => openssl(`x509 -in ${one} -noout -serial`).trim().split('=')[1]!;
      await using pointsman = await startPointsman({
        listeners: [
          {
            name: 'secure',
            address: '127.0.0.1:0',
            tls: {
              certificates: [
                { ...first, ocspResponse: ocspResponse(ca, 'ec', first.cert) },
                { ...second, ocspResponse: ocspResponse(ca, 'rsa', second.cert) },
                bare,
              ],
            },
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
        expect(said).toContain(`Serial Number: ${serial(first.cert)}`);
        expect(await opensslTalk(`${at} ${version}`)).not.toContain('OCSP Response Status');
        // Who can verify RSA only is shown that certificate, with what was said of it.
        const other = await opensslTalk(`${at} ${version} -status -sigalgs RSA-PSS+SHA256`);
        expect(other).toContain('Cert Status: good');
        expect(other).toContain(`Serial Number: ${serial(second.cert)}`);
        const none = await opensslTalk(`${at.replace('a.example', 'b.example')} ${version} -status`);
        expect(none).toContain('OCSP response: no response sent');
      }
    },
    30_000,
  );

  testOpenssl(
    'our order of ciphers counts, but who has ChaCha20 first gets it; one ticket comes',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startPointsman({
        listeners: [
          {
            name: 'secure',
            address: '127.0.0.1:0',
            tls: { certificates: [ca.issue('a.example')] },
            routes: [{ pool: 'web' }],
          },
        ],
        pools: [{ name: 'web', endpoints: [endpoint.name] }],
      });
      const at = `s_client -connect 127.0.0.1:${pointsman.address('secure').port} -servername a.example -ign_eof`;
      const request = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
      const aes = 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256';
      const said = await opensslTalk(`${at} -tls1_3 -ciphersuites ${aes}`, request);
      expect(said).toContain('Cipher is TLS_AES_128_GCM_SHA256');
      expect(said.split('Post-Handshake New Session Ticket arrived').length - 1).toBe(1);
      const chacha = 'TLS_CHACHA20_POLY1305_SHA256';
      expect(await opensslTalk(`${at} -tls1_3 -ciphersuites ${chacha}:${aes}`, request)).toContain(
        `Cipher is ${chacha}`,
      );
      const aes12 = 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256';
      expect(await opensslTalk(`${at} -tls1_2 -cipher ${aes12}`, request)).toContain(
        'Cipher is ECDHE-ECDSA-AES128-GCM-SHA256',
      );
      const chacha12 = 'ECDHE-ECDSA-CHACHA20-POLY1305';
      expect(await opensslTalk(`${at} -tls1_2 -cipher ${chacha12}:${aes12}`, request)).toContain(
        `Cipher is ${chacha12}`,
      );
    },
  );

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
      write(', ciphers: [ECDHE-ECDSA-AES128-GCM-SHA256, NO-SUCH-CIPHER]');
      const refused = await cli(['check', '-c', file]);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain('listener secure: TLS: ciphers: NO-SUCH-CIPHER: no cipher match');
      write('');
      expect((await cli(['check', '-c', file])).code).toBe(0);
      const secure = await cli(['explain', 'GET', 'https://a.example/x', '-c', file]);
      expect(secure.out).toContain('listener  secure');
      const plain = await cli(['explain', 'GET', 'http://a.example/x?y=1', '-c', file]);
      expect(plain.out).toContain('https://a.example:8443/x?y=1');
    },
  );
});
