import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { TestCa } from '../../test/support/certificates.ts';
import type { Decision } from './explain-decision.ts';
import { runCommandLine } from './program.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-explain-'));
  writeFileSync(
    join(directory, 'pointsman.yaml'),
    `listeners:
  - name: web
    address: :8080
    forwarding: { forwarded: false, via: "" }
    routes:
      - { match: { host: admin.test }, pool: web }
      - { name: api, match: { path: /api/*, method: [GET, POST] }, pool: web, filters: [ { rewrite: { prefix: /api } } ] }
      - { reply: { status: 404 } }
  - { name: other, address: :80, routes: [ { pool: web } ] }
pools:
  - { name: web, policy: first, endpoints: [ 10.0.0.1:80, { address: 10.0.0.2:80, state: disabled } ] }
`,
  );
  const many = Array.from(
    { length: 200 },
    (_, index) => `      - { match: { path: /p${index} }, pool: web }`,
  );
  writeFileSync(
    join(directory, 'many.yaml'),
    `listeners:\n  - name: web\n    address: :8080\n    routes:\n${many.join('\n')}
pools: [ { name: web, policy: first, endpoints: [ 10.0.0.1:80 ] } ]\n`,
  );
  writeFileSync(join(directory, 'bad.yaml'), 'listeners: []\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function explain(...words: string[]) {
  let out = '';
  let err = '';
  const terminal = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    directory,
    outColor: false,
    errColor: false,
  };
  const code = await runCommandLine(['explain', ...words], terminal);
  return { code, out, err };
}

describe('the answer', () => {
  test('for people', async () => {
    expect(await explain('GET', 'http://www.test:8080/x/../api/users?q=1', '-H', 'Accept: */*')).toEqual({
      code: 0,
      err: '',
      out: `listener  web (0.0.0.0:8080)
request   GET /api/users?q=1 for www.test:8080 from 127.0.0.1
routes      routes[0]  no: host is www.test, wanted is admin.test
          * api        chosen: everything that it wants holds
            routes[2]  not reached: an earlier one was chosen
filters   rewrite: - GET /api/users?q=1 HTTP/1.1, + GET /users?q=1 HTTP/1.1
pool      web, policy first
          * 10.0.0.1:80  open, weight 1, 0 in flight: score 1 (place in the list, first that is not full wins)
            10.0.0.2:80  closed, weight 1, 0 in flight: disabled by the operator
result    endpoint 10.0.0.1:80: first picks it
sends     GET /users?q=1 HTTP/1.1
          Host: www.test:8080
          Accept: */*
          X-Forwarded-For: 127.0.0.1
          X-Forwarded-Proto: http
          X-Forwarded-Host: www.test:8080
`,
    });
  });

  test('for programs', async () => {
    const { code, out } = await explain(
      'PUT',
      '/api',
      '--listener',
      'web',
      '--from',
      '2001:DB8::1',
      '--json',
    );
    const decision = JSON.parse(out) as Decision;
    expect(code).toBe(0);
    expect(decision.request).toEqual({
      method: 'PUT',
      host: 'localhost',
      path: '/api',
      query: '',
      clientIp: '2001:db8::1',
    });
    expect(decision.routes[1]).toEqual({
      route: 'api',
      verdict: { kind: 'failed', subject: 'method', wants: 'one of GET, POST', sees: 'PUT' },
    });
    expect(decision.result).toEqual({ kind: 'reply', status: 404, by: 'route routes[2]' });
  });

  test('is about the listener of the port, by the host that a header names', async () => {
    const { out } = await explain('GET', 'http://www.test/', '-H', 'Host: admin.test');
    expect(out).toStartWith('listener  other (0.0.0.0:80)\nrequest   GET / for admin.test from 127.0.0.1\n');
  });

  test('shows the neighbourhood when there are many routes', async () => {
    const { out } = await explain('GET', '/p100', '-c', 'many.yaml');
    const lines = out.split('\n');
    expect(lines.length).toBeLessThan(70);
    expect(out).toContain('* routes[100]');
    expect(out).toContain('... 80 before, see --json');
    expect(out).toContain('... 80 more, see --json');
  });
});

describe('a question that cannot be answered ends with 2', () => {
  test.each([
    [['GET', 'www.test/x'], 'is not a URL; write http://host/path, or /path'],
    [['GET', 'http:///x'], 'has no host'],
    [['GET', '/', '-H', 'no colon'], `is not a header; write -H 'name: value'`],
    [['GET', '/', '-H', 'A: 1\r\nB: 2'], `is not a header; write -H 'name: value'`],
    [['GET /', '/'], 'no blanks'],
    [['GET', '/', '--from', '1.2.3'], '"1.2.3" is not an IP address'],
    [['GET', '/'], 'which listener is meant?'],
    [['GET', '/', '--listener', 'wbe'], 'there is no listener "wbe"; there is web (0.0.0.0:8080), other'],
    [['GET', '/', '-c', 'bad.yaml'], 'bad.yaml: 1 problem'],
    [['GET'], "missing required argument 'url'"],
  ])('%p', async (words, message) => {
    const { code, out, err } = await explain(...words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

describe('a session whose TLS decides', () => {
  beforeAll(() => {
    writeFileSync(
      join(directory, 'tls.yaml'),
      `listeners:
  - name: tls
    address: :443
    protocol: tcp
    routes:
      - { name: grpc, match: { sni: "*.a.test", alpn: h2 }, pool: web }
      - { name: rest, match: { sni: b.test }, pool: web }
pools: [ { name: web, policy: first, endpoints: [ 10.0.0.1:80 ] } ]
`,
    );
  });

  test('goes by name and protocol', async () => {
    const asked = ['--sni', 'x.A.test', '--alpn', 'h2,http/1.1'];
    const { code, out } = await explain('tcp', 'tls', '-c', 'tls.yaml', ...asked);
    expect(code).toBe(0);
    expect(out).toContain('* grpc  chosen');
    expect(out).toContain('endpoint 10.0.0.1:80: first picks it');
  });

  test('of a listener for HTTP is passed on by name, or ended there', async () => {
    using ca = new TestCa();
    const { cert, key } = ca.issue('own.test');
    writeFileSync(
      join(directory, 'mixed.yaml'),
      `listeners:
  - name: mixed
    address: :443
    tls: { certificates: [ { cert: ${cert}, key: ${key} } ] }
    passThrough: [ { match: { sni: a.test }, pool: web } ]
    routes: [ { pool: web } ]
pools: [ { name: web, policy: first, endpoints: [ 10.0.0.1:80 ] } ]
`,
    );
    const outOf = async (name: string) =>
      (await explain('tcp', 'mixed', '-c', 'mixed.yaml', '--sni', name)).out;
    expect(await outOf('a.test')).toMatch(/\* passThrough\[0\] +chosen[^]*endpoint 10\.0\.0\.1:80/);
    expect(await outOf('own.test')).toMatch(/sni is own\.test, wanted is a\.test[^]*the listener ends TLS/);
  });

  test('is refused, and why', async () => {
    const { out } = await explain('tcp', 'tls', '-c', 'tls.yaml', '--sni', 'x.a.test');
    expect(out).toContain('grpc  no: alpn is none, wanted is h2');
    expect(out).toContain('rest  no: sni is x.a.test, wanted is b.test');
    expect(out).toContain('hello_no_route');
  });
});
