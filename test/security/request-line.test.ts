import { describeRequests, either, forwarded, head, refused, type RequestCase } from './request-suite.ts';

/** Request lines that RFC 9112 section 3 does not know. Each is followed by a good Host. */
const BAD: readonly (readonly [string, string])[] = [
  ['two blanks before the target', 'GET  /attack HTTP/1.1'],
  ['two blanks behind the target', 'GET /attack  HTTP/1.1'],
  ['a tab before the target', 'GET\t/attack HTTP/1.1'],
  ['a tab behind the target', 'GET /attack\tHTTP/1.1'],
  ['a vertical tab for a blank', 'GET\x0b/attack HTTP/1.1'],
  ['a blank in front', ' GET /attack HTTP/1.1'],
  ['a blank behind the version', 'GET /attack HTTP/1.1 '],
  ['a tab behind the version', 'GET /attack HTTP/1.1\t'],
  ['a blank in the target', 'GET /attack x HTTP/1.1'],
  ['a bare CR in the target', 'GET /att\rack HTTP/1.1'],
  ['a bare LF in the target', 'GET /att\nack HTTP/1.1'],
  ['a NUL in the target', 'GET /att\0ack HTTP/1.1'],
  ['a tab in the target', 'GET /att\tack HTTP/1.1'],
  ['a DEL in the target', 'GET /att\x7fack HTTP/1.1'],
  ['a byte of 0x80 in the target', 'GET /att\x80ack HTTP/1.1'],
  ['raw UTF-8 in the target', 'GET /\xc3\xa9 HTTP/1.1'],
  ['no target', 'GET HTTP/1.1'],
  ['an empty target', 'GET  HTTP/1.1'],
  ['no method', '/attack HTTP/1.1'],
  ['an empty method', ' /attack HTTP/1.1'],
  ['a method with brackets', 'G(E)T /attack HTTP/1.1'],
  ['a method with a colon', 'GET: /attack HTTP/1.1'],
  ['a method with a NUL', 'GE\0T /attack HTTP/1.1'],
  ['a method with a byte of 0xe9', 'G\xe9T /attack HTTP/1.1'],
  ['four parts', 'GET /attack /smuggled HTTP/1.1'],
  ['a name other than HTTP', 'GET /attack HTTQ/1.1'],
  ['a lower-case name', 'GET /attack http/1.1'],
  ['a version without a dot', 'GET /attack HTTP/11'],
  ['a version with a comma', 'GET /attack HTTP/1,1'],
  ['a version with two digits before the dot', 'GET /attack HTTP/01.1'],
  ['a version with two digits behind the dot', 'GET /attack HTTP/1.10'],
  ['a version with a sign', 'GET /attack HTTP/+1.1'],
  ['a version with a blank', 'GET /attack HTTP/ 1.1'],
  ['a version that ends early', 'GET /attack HTTP/1.'],
  ['a version of one number', 'GET /attack HTTP/1'],
  ['a version with a letter', 'GET /attack HTTP/1.x'],
  ['version 0.9 spelled out', 'GET /attack HTTP/0.9'],
  ['version 2.0', 'GET /attack HTTP/2.0'],
  ['version 3.0', 'GET /attack HTTP/3.0'],
  ['version 9.9', 'GET /attack HTTP/9.9'],
];

const cases: RequestCase[] = BAD.map(([name, line]) => ({
  name: `refuses ${name}`,
  send: `${line}\r\nHost: a.test\r\n\r\n`,
  expected: refused(400, 505),
}));

cases.push(
  {
    name: 'refuses HTTP/0.9',
    send: 'GET /attack\r\n',
    expected: refused(400, 408, 505),
  },
  {
    name: 'refuses HTTP/0.9 with fields',
    send: 'GET /attack\r\nHost: a.test\r\n\r\n',
    expected: refused(400, 505),
  },
  {
    name: 'gives version 1.2 the meaning of 1.1, or none',
    send: 'GET /attack HTTP/1.2\r\nHost: a.test\r\n\r\n',
    expected: either([400, 505]),
  },
  {
    name: 'lets an empty line in front be',
    send: `\r\n${head('GET')}`,
    expected: either([400]),
  },
  {
    name: 'does not wait for ever behind empty lines',
    send: '\r\n\r\n\r\n\r\n',
    expected: refused(400, 408),
  },
  {
    name: 'forwards a method that it has never heard of',
    send: head('PROPFIND'),
    expected: forwarded(),
  },
  {
    name: 'refuses or forwards a method in lower case as it is',
    send: head('get'),
    expected: either([400, 405, 501]),
  },
  {
    name: 'refuses an endless method',
    send: `${'A'.repeat(20_000)} /attack HTTP/1.1\r\nHost: a.test\r\n\r\n`,
    expected: refused(400, 414, 431, 501),
  },
);

describeRequests('request line', cases);
