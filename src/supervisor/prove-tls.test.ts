import { expect } from 'bun:test';

import { openssl, TestCa } from '../../test/support/certificates.ts';
import { testWith } from '../../test/support/programs.ts';
import { loadYaml } from '../config/load.ts';
import { tlsProblems } from './prove-tls.ts';

testWith('openssl')(
  'a certificate that the library refuses is named by its file, and its listener or pool',
  () => {
    using ca = new TestCa();
    const names = '-subj /CN=a.example -addext subjectAltName=DNS:a.example';
    openssl(
      `req -x509 -newkey rsa:1024 -nodes -days 30 ${names} -keyout ${ca.file('small.key')} -out ${ca.file('small.pem')}`,
    );
    const certificate = '{ cert: small.pem, key: small.key }';
    const loaded = loadYaml(
      `listeners: [{ name: s, address: ":443", tls: { certificates: [${certificate}] }, routes: [{ pool: web }] }]
pools: [{ name: web, endpoints: [10.0.0.1:80], tls: { clientCertificate: ${certificate} } }]`,
      ca.file('pointsman.yaml'),
    );
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
    const said =
      'TLS: the certificate in "small.pem" cannot be used: ee key too small; an RSA key needs 2048 bits or more';
    expect(tlsProblems(loaded.config)).toEqual([`listener s: ${said}`, `pool web: ${said}`]);
  },
);
