import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  type Check,
  describeRequests,
  either,
  forwarded,
  refused,
  type RequestCase,
} from './request-suite.ts';

function to(target: string, method = 'GET', host = 'a.test'): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

function reads(target: string, host = 'a.test'): Check {
  return ([request]) => {
    expect(request?.target).toBe(target);
    expect(request === undefined ? '' : valueOf(request, 'host')).toBe(host);
  };
}

/** RFC 9112 section 3.2: a gateway serves origin-form and absolute-form of http(s), and `*` for OPTIONS. */
const BAD: readonly (readonly [string, string])[] = [
  ['a path without a slash', 'attack'],
  ['a bare host', 'a.test'],
  ['an authority', 'a.test:80'],
  ['user info in front of a path', '@evil.test/attack'],
  ['an asterisk for GET', '*'],
  ['an asterisk and a path', '*/attack'],
  ['a query alone', '?a=b'],
  ['a fragment', '/attack#part'],
  ['a fragment in front of a query', '/attack#part?a=b'],
  ['a fragment alone', '#'],
  ['user info in an absolute target', 'http://user@a.test/attack'],
  ['user and password in an absolute target', 'http://user:secret@a.test/attack'],
  ['an absolute target without a host', 'http:///attack'],
  ['an absolute target without slashes', 'http:a.test/attack'],
  ['an absolute target with one slash', 'http:/a.test/attack'],
  ['an absolute target with an empty host and port', 'http://:80/attack'],
  ['an absolute target with a fragment', 'http://a.test/attack#part'],
  ['an absolute target with a backslash', 'http://a.test\\@evil.test/attack'],
  ['an absolute target with a bad port', 'http://a.test:8x/attack'],
  ['an absolute target with a port out of range', 'http://a.test:99999/attack'],
  ['an absolute target of ftp', 'ftp://a.test/attack'],
  ['an absolute target of file', 'file:///etc/passwd'],
  ['an absolute target of javascript', 'javascript:alert(1)'],
  ['an absolute target with a bad IPv6 address', 'http://[::1/attack'],
  ['a broken escape', '/attack%'],
  ['an escape of one digit', '/attack%4'],
  ['an escape that is not hexadecimal', '/attack%zz'],
  ['an escaped NUL', '/attack%00'],
  ['an escaped NUL within', '/att%00ack?x'],
];

const cases: RequestCase[] = BAD.map(([name, target]) => ({
  name: `refuses ${name}`,
  send: to(target),
  expected: refused(400, 404, 421, 501),
}));

cases.push(
  {
    name: 'forwards an absolute target as origin-form under its own host',
    send: to('http://b.test/attack?q=1', 'GET', 'b.test'),
    expected: forwarded(reads('/attack?q=1', 'b.test')),
  },
  {
    name: 'lets the absolute target win over Host, or refuses the two',
    send: to('http://b.test/attack', 'GET', 'evil.test'),
    expected: either([400], reads('/attack', 'b.test')),
  },
  {
    name: 'lets the port of the absolute target win over Host, or refuses the two',
    send: to('http://b.test:8080/attack', 'GET', 'b.test'),
    expected: either([400], reads('/attack', 'b.test:8080')),
  },
  {
    name: 'reads an absolute target in odd case',
    send: to('HTTP://b.test/attack', 'GET', 'b.test'),
    expected: either([400], reads('/attack', 'b.test')),
  },
  {
    name: 'gives an absolute target without a path the path /',
    send: to('http://b.test', 'GET', 'b.test'),
    expected: forwarded(reads('/', 'b.test')),
  },
  {
    name: 'gives an absolute target with a query alone the path /',
    send: to('http://b.test?q=1', 'GET', 'b.test'),
    expected: either([400], reads('/?q=1', 'b.test')),
  },
  {
    name: 'refuses an absolute target without a Host line',
    send: 'GET http://b.test/attack HTTP/1.1\r\n\r\n',
    expected: refused(400),
  },
  {
    name: 'forwards an asterisk for OPTIONS',
    send: to('*', 'OPTIONS'),
    expected: forwarded(reads('*')),
  },
  {
    name: 'forwards a query as it is',
    send: to('/attack?a=b&c=%20d&e=/../f;g=?h'),
    expected: forwarded(reads('/attack?a=b&c=%20d&e=/../f;g=?h')),
  },
  {
    name: 'forwards an empty query as it is or without',
    send: to('/attack?'),
    expected: forwarded(([request]) => expect(['/attack?', '/attack']).toContain(request?.target ?? '')),
  },
);

describeRequests('request targets', cases);
