import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  describeResponses,
  got,
  passed,
  passedOrReplaced,
  replaced,
  type ResponseCase,
} from './response-suite.ts';

/** Status lines that RFC 9112 section 4 does not know; every one becomes a 502 and costs the connection. */
const BAD_STATUS_LINES: readonly (readonly [string, string])[] = [
  ['a status of two digits', 'HTTP/1.1 20 OK'],
  ['a status of four digits', 'HTTP/1.1 2000 OK'],
  ['a status of one digit', 'HTTP/1.1 2 OK'],
  ['a status of letters', 'HTTP/1.1 abc OK'],
  ['a status with a sign', 'HTTP/1.1 +20 OK'],
  ['a status of 000', 'HTTP/1.1 000 Nothing'],
  ['a status below 100', 'HTTP/1.1 099 Low'],
  ['no status', 'HTTP/1.1'],
  ['two blanks before the status', 'HTTP/1.1  200 OK'],
  ['a tab before the status', 'HTTP/1.1\t200 OK'],
  ['a blank in front', ' HTTP/1.1 200 OK'],
  ['a NUL in the reason', 'HTTP/1.1 200 O\0K'],
  ['a bare CR in the reason', 'HTTP/1.1 200 O\rK'],
  ['a control byte in the reason', 'HTTP/1.1 200 O\x01K'],
  ['HTTP/2', 'HTTP/2 200 OK'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK'],
  ['HTTP/0.9', 'HTTP/0.9 200 OK'],
  ['HTTP/3.0', 'HTTP/3.0 200 OK'],
  ['a version with two digits', 'HTTP/1.10 200 OK'],
  ['a lower-case version', 'http/1.1 200 OK'],
  ['another protocol', 'ICY 200 OK'],
  ['RTSP', 'RTSP/1.0 200 OK'],
];

const BAD_LINES: readonly (readonly [string, string])[] = [
  ['a NUL in a value', 'X-A: 1\x002'],
  ['a bare CR in a value', 'X-A: 1\r2'],
  ['a bare LF between lines', 'X-A: 1\nX-B: 2'],
  ['a response split by a bare LF', 'X-A: 1\n\nHTTP/1.1 200 OK\nX-Evil: 1'],
  ['a blank before the colon of the length', 'Content-Length : 9'],
  ['a blank before the colon', 'X-A : 1'],
  ['no colon', 'X-A'],
  ['no name', ': 1'],
  ['a blank in a name', 'X A: 1'],
  ['a NUL in a name', 'X\0A: 1'],
  ['a byte of 0x80 in a name', 'X\x80A: 1'],
  ['a control byte in a value', 'X-A: \x01'],
  ['a DEL in a value', 'X-A: \x7f'],
];

const OK = 'Content-Length: 2\r\n\r\nok';

const cases: ResponseCase[] = [
  ...BAD_STATUS_LINES.map(([name, line]) => ({
    name: `replaces ${name}`,
    answer: `${line}\r\n${OK}`,
    expected: replaced(),
  })),
  ...BAD_LINES.map(([name, line]) => ({
    name: `replaces an answer with ${name}`,
    answer: `HTTP/1.1 200 OK\r\n${line}\r\n${OK}`,
    expected: replaced(),
  })),
  {
    name: 'replaces a folded line or makes it one',
    answer: `HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n${OK}`,
    expected: passedOrReplaced((answer) => expect(valueOf(answer, 'x-a')).toMatch(/^1 +2$/)),
    reusable: true,
  },
  {
    name: 'replaces a fold before the first field',
    answer: `HTTP/1.1 200 OK\r\n X-A: 1\r\n${OK}`,
    expected: replaced(),
  },
  {
    name: 'replaces an answer of HTTP/0.9',
    answer: '<html>hello</html>',
    ending: 'fin',
    expected: replaced(),
  },
  { name: 'replaces an answer of nothing', answer: '', ending: 'fin', expected: replaced() },
  {
    name: 'replaces a head that is cut',
    answer: 'HTTP/1.1 200 OK\r\nContent-Le',
    ending: 'fin',
    expected: replaced(),
  },
  {
    name: 'replaces a head that is reset',
    answer: 'HTTP/1.1 200 OK\r\nX',
    ending: 'reset',
    expected: replaced(),
  },
  {
    name: 'replaces a head that stops',
    answer: 'HTTP/1.1 200 OK\r\nX-A: 1\r\n',
    expected: replaced(504, 502),
  },
  { name: 'replaces silence', answer: '', expected: replaced(504) },
  {
    name: 'replaces a head without an end',
    answer: `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(40_000)}`,
    expected: replaced(),
  },
  {
    name: 'replaces a field without an end',
    answer: `HTTP/1.1 200 OK\r\nX-A: ${'b'.repeat(300_000)}`,
    expected: replaced(),
  },
  {
    name: 'replaces a status line without an end',
    answer: `HTTP/1.1 200 ${'b'.repeat(300_000)}`,
    expected: replaced(),
  },
  {
    name: 'passes a head of 48 KiB',
    answer: `HTTP/1.1 200 OK\r\n${Array.from({ length: 48 }, (_, index) => `X-${index}: ${'v'.repeat(1010)}\r\n`).join('')}${OK}`,
    expected: passed(got(200, 'ok')),
    reusable: true,
  },
  {
    name: 'passes 150 fields',
    answer: `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(150)}${OK}`,
    expected: passed(got(200, 'ok')),
    reusable: true,
  },
  {
    name: 'replaces noise',
    answer: `${'\xff\x00\xfe\x01'.repeat(100)}\r\n\r\n`,
    expected: replaced(),
  },
  {
    name: 'passes an answer without a reason',
    answer: `HTTP/1.1 200 \r\n${OK}`,
    expected: passed(got(200, 'ok')),
    reusable: true,
  },
  {
    name: 'passes or replaces a status line without the blank behind the status',
    answer: `HTTP/1.1 200\r\n${OK}`,
    expected: passedOrReplaced(got(200, 'ok')),
    reusable: true,
  },
  {
    name: 'passes an unknown status of three digits',
    answer: `HTTP/1.1 299 Odd\r\n${OK}`,
    expected: passed(got(299, 'ok')),
    reusable: true,
  },
  {
    name: 'passes or replaces a status beyond the classes',
    answer: `HTTP/1.1 599 Far\r\n${OK}`,
    expected: passedOrReplaced(got(599, 'ok')),
    reusable: true,
  },
  {
    name: 'passes bytes beyond ASCII',
    answer: `HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\n${OK}`,
    expected: passed((answer) => expect(valueOf(answer, 'x-a')).toBe('caf\xe9')),
    reusable: true,
  },
  {
    name: 'passes an answer that comes byte by byte',
    answer: `HTTP/1.1 200 OK\r\n${OK}`.split(''),
    expected: passed(got(200, 'ok')),
    reusable: true,
  },
  {
    name: 'removes what the answer calls hop-by-hop',
    answer: `HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nProxy-Connection: x\r\n${OK}`,
    expected: passed((answer) => {
      for (const name of ['x-hop', 'keep-alive', 'proxy-connection'])
        expect(valueOf(answer, name)).toBeUndefined();
    }),
    reusable: true,
  },
  {
    name: 'keeps the framing that an answer calls hop-by-hop',
    answer: `HTTP/1.1 200 OK\r\nConnection: Content-Length, keep-alive\r\n${OK}`,
    expected: passedOrReplaced(got(200, 'ok')),
    reusable: true,
  },
];

describeResponses('response heads', cases);
