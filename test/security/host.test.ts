import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import { describeRequests, either, forwarded, refused, type RequestCase } from './request-suite.ts';

function withHosts(...lines: string[]): string {
  return ['GET /attack HTTP/1.1', ...lines, '', ''].join('\r\n');
}

/** RFC 9112 section 3.2: exactly one, and uri-host [":" port] in it; else 400. */
const BAD: readonly (readonly [string, string])[] = [
  ['nothing in it', ''],
  ['only blanks', '   '],
  ['a list', 'a.test, b.test'],
  ['a list without a blank', 'a.test,b.test'],
  ['two names', 'a.test b.test'],
  ['a path', 'a.test/evil'],
  ['a slash behind', 'a.test/'],
  ['a query', 'a.test?x=y'],
  ['a fragment', 'a.test#x'],
  ['user info', 'user@a.test'],
  ['user and password', 'user:secret@a.test'],
  ['an at sign in front', '@a.test'],
  ['a scheme', 'http://a.test'],
  ['a backslash', 'a.test\\evil'],
  ['a letter in the port', 'a.test:80a'],
  ['a sign in the port', 'a.test:+80'],
  ['a port out of range', 'a.test:65536'],
  ['a long port', `a.test:${'1'.repeat(40)}`],
  ['two ports', 'a.test:80:90'],
  ['only a port', ':80'],
  ['a blank before the port', 'a.test :80'],
  ['an IPv6 address without brackets', '::1'],
  ['an IPv6 address that is not closed', '[::1'],
  ['an IPv6 address that is not opened', '::1]'],
  ['text behind an IPv6 address', '[::1]evil'],
  ['nothing in brackets', '[]'],
  ['a name in brackets', '[a.test]'],
  ['a NUL', 'a.test\0b'],
  ['a bare CR', 'a.test\rb'],
  ['a tab', 'a\ttest'],
  ['a vertical tab', 'a.test\x0b'],
  ['a byte of 0xff', 'a.test\xff'],
  ['a quote', 'a.test"'],
  ['angle brackets', '<a.test>'],
  ['a bar', 'a|test'],
  ['a caret', 'a^test'],
  ['braces', '{a}.test'],
  ['a broken escape', 'a%zz.test'],
  ['an escaped NUL', 'a%00.test'],
];

const cases: RequestCase[] = BAD.map(([name, value]) => ({
  name: `refuses ${name}`,
  send: withHosts(`Host: ${value}`),
  expected: refused(400),
}));

function hostIs(host: string): RequestCase['expected'] {
  return forwarded(([request]) => expect(request === undefined ? '' : valueOf(request, 'host')).toBe(host));
}

cases.push(
  { name: 'refuses a request without', send: withHosts('X-A: 1'), expected: refused(400) },
  { name: 'refuses two', send: withHosts('Host: a.test', 'Host: b.test'), expected: refused(400) },
  {
    name: 'refuses two that are equal',
    send: withHosts('Host: a.test', 'Host: a.test'),
    expected: refused(400),
  },
  {
    name: 'refuses two in different case',
    send: withHosts('Host: a.test', 'hOsT: b.test'),
    expected: refused(400),
  },
  {
    name: 'refuses two with others between',
    send: withHosts('Host: a.test', 'X-A: 1', 'X-B: 2', 'Host: b.test'),
    expected: refused(400),
  },
  {
    name: 'refuses one that is empty beside a good one',
    send: withHosts('Host:', 'Host: a.test'),
    expected: refused(400),
  },
  { name: 'refuses a blank before the colon', send: withHosts('Host : a.test'), expected: refused(400) },
  {
    name: 'refuses a folded one or makes it one line',
    send: withHosts('Host:\r\n a.test'),
    expected: either([400]),
  },
  {
    name: 'refuses a folded one with a second name',
    send: withHosts('Host: a.test\r\n b.test'),
    expected: refused(400),
  },
  { name: 'forwards a name', send: withHosts('Host: a.test'), expected: hostIs('a.test') },
  { name: 'forwards a name and port', send: withHosts('Host: a.test:8080'), expected: hostIs('a.test:8080') },
  {
    name: 'forwards an IPv4 address',
    send: withHosts('Host: 127.0.0.1:80'),
    expected: hostIs('127.0.0.1:80'),
  },
  { name: 'forwards an IPv6 address', send: withHosts('Host: [::1]:80'), expected: hostIs('[::1]:80') },
  {
    name: 'forwards a name with an underscore',
    send: withHosts('Host: a_b.test'),
    expected: hostIs('a_b.test'),
  },
  {
    name: 'forwards a name with a dot at the end',
    send: withHosts('Host: a.test.'),
    expected: hostIs('a.test.'),
  },
  {
    name: 'forwards a name in capitals as it is or in lower case',
    send: withHosts('Host: A.TEST'),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'host')).toMatch(/^a\.test$/i);
    }),
  },
  {
    name: 'gives an empty port one meaning or none',
    send: withHosts('Host: a.test:'),
    expected: either([400]),
  },
);

describeRequests('Host', cases);
