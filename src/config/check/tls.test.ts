import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';

import { openssl, TestCa } from '../../../test/support/certificates.ts';
import { testWith } from '../../../test/support/programs.ts';
import { formatIssue } from '../issue.ts';
import { loadYaml } from '../load.ts';

const testOpenssl = testWith('openssl');

describe('files that TLS names', () => {
  let ca: TestCa;

  beforeAll(() => {
    ca = new TestCa();
    ca.issue('a', { names: ['a.example', '*.a.example'] });
    ca.issue('a2', { names: ['a.example'] });
    ca.issue('rsa', { names: ['a.example'], kind: 'rsa' });
    ca.issue('old', { names: ['a.example'], days: 0 });
    ca.issue('soon', { names: ['a.example'], days: 5 });
    ca.issue('locked', { names: ['l.example'], passphrase: 'secret' });
    writeFileSync(ca.file('right'), 'secret\n');
    writeFileSync(ca.file('wrong'), 'public');
    writeFileSync(ca.file('empty'), '');
    writeFileSync(
      ca.file('damaged.pem'),
      readFileSync(ca.file('a.pem'), 'utf8').replace(/\n.{20}/, '\n!!!!!'),
    );
    writeFileSync(ca.file('chained.pem'), readFileSync(ca.file('a.pem')));
    appendFileSync(ca.file('chained.pem'), readFileSync(ca.file('a2.pem')));
    openssl(`rand -out ${ca.file('tickets')} 160`);
    openssl(`rand -out ${ca.file('short')} 48`);
  });

  afterAll(() => ca[Symbol.dispose]());

  /** What check says of a listener with this `tls`; files are named from the directory of the authority. */
  function said(tls: string, route = '{ pool: web }', pool = ''): string[] {
    const text = `listeners: [{ name: s, address: ":443", tls: ${tls}, routes: [${route}] }]\npools: [{ name: web, endpoints: [10.0.0.1:80]${pool} }]\n`;
    const result = loadYaml(text, ca.file('pointsman.yaml'));
    const issues = result.ok ? result.warnings : result.issues;
    return issues.map((issue) =>
      formatIssue({ ...issue, file: '' }, result.ok ? 'warning' : undefined)
        .replace(/^:\d+:\d+: /, '')
        .replaceAll(/\d{4}-\d\d-\d\d/g, 'DATE'),
    );
  }

  const one = (cert: string, key: string, more = ''): string =>
    `{ certificates: [{ cert: ${cert}, key: ${key}${more} }] }`;

  testOpenssl('what is right is taken, and its content with it', () => {
    expect(said(one('a.pem', 'a.key'))).toEqual([]);
    expect(said(one('locked.pem', 'locked.key', ', passphraseFile: right'))).toEqual([]);
    expect(
      said(
        `{ certificates: [{ cert: a2.pem, key: a2.key }, { cert: rsa.pem, key: rsa.key }], sessionTickets: { keyFile: tickets } }`,
      ),
    ).toEqual([]);
  });

  testOpenssl('what QUIC cannot do is refused beside h3', () => {
    const at = 'listeners[0].tls.alpn[0]';
    const h3 = (more = '', alpn = '[h3, h2]'): string =>
      `{ certificates: [{ cert: a.pem, key: a.key }], alpn: ${alpn}${more} }`;
    expect(said(h3())).toEqual([]);
    expect(said(h3(', clientCertificate: { ca: a.pem }'))).toEqual([
      `${at}: h3 cannot ask clients for a certificate`,
    ]);
    expect(said(h3(', maxVersion: "1.2"'))).toEqual([`${at}: h3 needs TLS 1.3`]);
    expect(said(h3('', '[h3]'))).toEqual([
      `${at}: h3 alone reaches few clients; name h2 or http/1.1 as well`,
    ]);
    expect(said(`${h3()}, proxyProtocol: { from: [10.0.0.0/8] }`)).toEqual([
      `${at}: QUIC carries no PROXY header; leave h3 out, or proxyProtocol`,
    ]);
  });

  testOpenssl('what is wrong is named', () => {
    const at = 'listeners[0].tls.certificates[0]';
    const cases: [tls: string, message: string][] = [
      [one('none.pem', 'a.key'), `${at}.cert: "none.pem": there is no such file`],
      [one('.', 'a.key'), `${at}.cert: ".": this is not a file`],
      [one('empty', 'a.key'), `${at}.cert: "empty" is empty; it must hold PEM`],
      [
        one('damaged.pem', 'a.key'),
        `${at}.cert: a certificate in "damaged.pem" is damaged; copy the file again, as bytes`,
      ],
      [
        one('a.pem', 'a.pem'),
        `${at}.key: there is no private key in "a.pem"; it holds a certificate, which belongs under cert`,
      ],
      [
        one('a.pem', 'a2.key'),
        `${at}.key: "a2.key" is not the key of the certificate in "a.pem"; name the one that the certificate for a.example, *.a.example was made with`,
      ],
      [
        one('old.pem', 'old.key'),
        `${at}.cert: the certificate in "old.pem" expired on DATE; replace the file by a renewed one`,
      ],
      [
        one('a.pem', 'a.key', ', ocspResponse: right'),
        `${at}.ocspResponse: "right" is not an OCSP response in DER; openssl ocsp -respout FILE writes one`,
      ],
      [
        one('locked.pem', 'locked.key'),
        `${at}.key: the private key in "locked.key" has a passphrase; name a file that holds it as passphraseFile`,
      ],
      [
        one('locked.pem', 'locked.key', ', passphraseFile: wrong'),
        `${at}.key: the passphrase does not open the private key in "locked.key"; see what is in passphraseFile`,
      ],
      [
        '{ certificates: [{ cert: a.pem, key: a.key }], defaultCertificate: b.example }',
        'listeners[0].tls.defaultCertificate: there is no certificate for b.example',
      ],
      [
        '{ certificates: [{ cert: a.pem, key: a.key }], minVersion: "1.3", maxVersion: "1.2" }',
        'listeners[0].tls.maxVersion: minVersion is newer than maxVersion, so no version is left',
      ],
      [
        '{ certificates: [{ cert: a.pem, key: a.key }], clientCertificate: { ca: empty } }',
        'listeners[0].tls.clientCertificate.ca: "empty" is empty; it must hold PEM',
      ],
      [
        '{ certificates: [{ cert: a.pem, key: a.key }], clientCertificate: { ca: ca.pem, crl: a.pem } }',
        'listeners[0].tls.clientCertificate.crl: there is no revocation list in "a.pem"; PEM begins with -----BEGIN X509 CRL-----',
      ],
      [
        '{ certificates: [{ cert: a.pem, key: a.key }], sessionTickets: { keyFile: short } }',
        'listeners[0].tls.sessionTickets.keyFile: "short" has 48 bytes, which are not keys of 80 bytes; write one with: openssl rand -out FILE 80',
      ],
    ];
    for (const [tls, message] of cases) expect(said(tls)).toEqual([message]);
  });

  testOpenssl('a file with something else in it is told by what it holds', () => {
    const at = 'listeners[0].tls.certificates[0]';
    openssl(`x509 -in ${ca.file('a.pem')} -outform der -out ${ca.file('a.der')}`);
    openssl(`pkey -in ${ca.file('a.key')} -outform der -out ${ca.file('akey.der')}`);
    openssl(`pkey -in ${ca.file('a.key')} -pubout -out ${ca.file('a.pub')}`);
    openssl(
      `pkcs12 -export -in ${ca.file('a.pem')} -inkey ${ca.file('a.key')} -passout pass:x -out ${ca.file('a.p12')}`,
    );
    const pem = readFileSync(ca.file('a.pem'), 'utf8');
    writeFileSync(ca.file('short.pem'), pem.slice(0, 200));
    writeFileSync(ca.file('leaf-last.pem'), ca.pem + pem);
    writeFileSync(ca.file('expired-ca.pem'), pem + readFileSync(ca.file('old.pem'), 'utf8'));
    const cases: [cert: string, key: string, message: string][] = [
      [
        'a.der',
        'a.key',
        `cert: "a.der" is DER, not PEM; write PEM with: openssl x509 -in FILE -out FILE.pem`,
      ],
      [
        'a.pem',
        'akey.der',
        `key: "akey.der" is DER, not PEM; write PEM with: openssl pkey -in FILE -out FILE.pem`,
      ],
      [
        'a.p12',
        'a.key',
        'cert: "a.p12" is PKCS #12, not PEM; write PEM with: openssl pkcs12 -in FILE -nodes -out FILE.pem (it can be cert and key at once)',
      ],
      [
        'a.csr',
        'a.key',
        'cert: there is no certificate in "a.csr"; it holds a request (CSR), out of which a CA makes the certificate',
      ],
      [
        'a.key',
        'a.key',
        'cert: there is no certificate in "a.key"; it holds a private key, which belongs under key',
      ],
      [
        'a.pem',
        'a.pub',
        'key: there is no private key in "a.pub"; it holds the public key; the private one was made together with it',
      ],
      [
        'short.pem',
        'a.key',
        'cert: the certificate in "short.pem" is cut short; PEM ends with -----END CERTIFICATE-----',
      ],
      [
        'leaf-last.pem',
        'a.key',
        'cert: "a.key" is the key of certificate 2 in "leaf-last.pem", not of the first; put the certificate of the server first, then those that lead to its CA',
      ],
    ];
    for (const [cert, key, message] of cases) expect(said(one(cert, key))).toEqual([`${at}.${message}`]);
    expect(said(one('expired-ca.pem', 'a.key'))[0]).toBe(
      `warning: ${at}.cert: in "expired-ca.pem", certificate 2 expired on DATE, so clients may refuse the way to the CA`,
    );
  });

  testOpenssl('what is surely not meant is warned of', () => {
    const at = 'warning: listeners[0].tls.certificates';
    expect(said(one('soon.pem', 'soon.key'))).toEqual([
      `${at}[0].cert: the certificate in "soon.pem" expires on DATE; renew it`,
    ]);
    expect(said(one('a.pem', 'a.key', ', names: [b.example]'))).toEqual([
      `${at}[0].names[0]: the certificate is not for b.example, so clients will not accept it there; it is for a.example, *.a.example`,
    ]);
    expect(said(one('chained.pem', 'a.key'))).toEqual([
      `${at}[0].cert: in "chained.pem", certificate 2 has not signed certificate 1, so clients may not find the way to the CA`,
    ]);
    expect(said('{ certificates: [{ cert: a.pem, key: a.key }, { cert: a2.pem, key: a2.key }] }')).toEqual([
      `${at}[1]: an earlier certificate is used for a.example, so this one is never shown`,
    ]);
    const route = '{ match: { host: [b.example, x.a.example, "*.a.example", 10.0.0.1] }, pool: web }';
    expect(said(one('a.pem', 'a.key'), route)).toEqual([
      'warning: listeners[0].routes[0].match.host: no certificate of this listener is for b.example',
    ]);
    expect(said(one('a.pem', 'a.key'), undefined, ', tls: { verify: false }')).toEqual([
      'warning: pools[0].tls.verify: verify is off: anybody on the way to the endpoint can read and change everything',
    ]);
  });
});
