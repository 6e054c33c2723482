import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import { describeRequests, either, forwarded, head, refused, type RequestCase } from './request-suite.ts';

/** Lines that are no field lines (RFC 9112 section 5), or that other recipients read in another way. */
const BAD: readonly (readonly [string, string])[] = [
  ['a blank before the colon', 'X-A : 1'],
  ['a tab before the colon', 'X-A\t: 1'],
  ['no colon', 'X-A'],
  ['no name', ': 1'],
  ['only a colon', ':'],
  ['a blank in the name', 'X A: 1'],
  ['a NUL in the name', 'X\0A: 1'],
  ['a NUL in the value', 'X-A: 1\x002'],
  ['a byte of 0x80 in the name', 'X\x80A: 1'],
  ['a DEL in the name', 'X\x7fA: 1'],
  ['a bracket in the name', 'X(A): 1'],
  ['a slash in the name', 'X/A: 1'],
  ['a comma in the name', 'X,A: 1'],
  ['quotes in the name', '"X-A": 1'],
  ['braces in the name', 'X{A}: 1'],
  ['a backslash in the name', 'X\\A: 1'],
  ['an at sign in the name', 'X@A: 1'],
  ['a bare CR in the value', 'X-A: 1\r2'],
  ['a bare CR before the colon', 'X-A\r: 1'],
  ['a bare LF between lines', 'X-A: 1\nX-B: 2'],
  ['two CR before the LF', 'X-A: 1\r\r\nX-B: 2'],
  ['a control byte in the value', 'X-A: 1\x012'],
  ['a backspace in the value', 'X-A: 1\b2'],
  ['an escape in the value', 'X-A: 1\x1b[31m'],
  ['a DEL in the value', 'X-A: 1\x7f2'],
];

const cases: RequestCase[] = BAD.map(([name, line]) => ({
  name: `refuses a line with ${name}`,
  send: head('GET', line),
  expected: refused(400),
}));

cases.push(
  {
    name: 'refuses a blank before the first name',
    send: 'GET /attack HTTP/1.1\r\n Host: a.test\r\n\r\n',
    expected: refused(400),
  },
  {
    name: 'refuses a line of blanks before the fields',
    send: 'GET /attack HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n',
    expected: refused(400),
  },
  {
    name: 'refuses a folded line or makes it one',
    send: head('GET', 'X-A: 1\r\n 2'),
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'x-a')).toMatch(/^1 +2$/);
    }),
  },
  {
    name: 'refuses a line folded with a tab or makes it one',
    send: head('GET', 'X-A: 1\r\n\t2'),
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'x-a')).toMatch(/^1\s+2$/);
    }),
  },
  {
    name: 'refuses a head that ends in LF LF',
    send: 'GET /attack HTTP/1.1\nHost: a.test\n\n',
    expected: refused(400),
  },
  {
    name: 'refuses a head that ends in CR LF LF',
    send: 'GET /attack HTTP/1.1\r\nHost: a.test\r\n\n',
    expected: refused(400),
  },
  {
    name: 'refuses a request line that ends in CR',
    send: 'GET /attack HTTP/1.1\rHost: a.test\r\n\r\n',
    expected: refused(400, 505),
  },
  {
    name: 'forwards every character of a token',
    send: head('GET', "!#$%&'*+-.^`|~09azAZ: 1"),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : valueOf(request, "!#$%&'*+-.^`|~09azaz")).toBe('1');
    }),
  },
  {
    name: 'forwards an empty value',
    send: head('GET', 'X-A:'),
    expected: forwarded(([request]) => expect(request === undefined ? '' : valueOf(request, 'x-a')).toBe('')),
  },
  {
    name: 'forwards bytes beyond ASCII in a value as they are',
    send: head('GET', 'X-A: caf\xe9 \xc3\xa9'),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'x-a')).toBe('caf\xe9 \xc3\xa9');
    }),
  },
  {
    name: 'keeps order and case of fields',
    send: head('GET', 'X-One: 1', 'x-TWO: 2', 'X-One: 3'),
    expected: forwarded(([request]) => {
      const lines = request?.fields.filter(([name]) => /^x-(one|two)$/i.test(name));
      expect(lines).toEqual([
        ['X-One', '1'],
        ['x-TWO', '2'],
        ['X-One', '3'],
      ]);
    }),
  },
  {
    name: 'forwards a head that comes byte by byte',
    send: head('GET', 'X-A: 1').split(''),
    expected: forwarded(),
  },
  {
    name: 'keeps prototype names apart from properties',
    send: head('GET', '__proto__: 1', 'constructor: 2', 'toString: 3'),
    expected: either([400]),
  },
);

describeRequests('field syntax', cases);
