import { expect } from 'bun:test';

import { valueOf, valuesOf } from '../support/strict-fields.ts';
import {
  type Check,
  describeRequests,
  either,
  forwarded,
  head,
  refusedMidBody,
  type RequestCase,
} from './request-suite.ts';

function withTrailers(...lines: string[]): string {
  const trailers = lines.map((line) => `${line}\r\n`).join('');
  return `${head('POST', 'Transfer-Encoding: chunked', 'Trailer: X-Sum')}5\r\nhello\r\n0\r\n${trailers}\r\n`;
}

/** Fields that must not come from behind the body (RFC 9110 section 6.5.1): dropped or refused, never in the head. */
const FORBIDDEN: readonly string[] = [
  'Content-Length: 9',
  'Transfer-Encoding: chunked',
  'Host: evil.test',
  'Connection: close',
  'Authorization: Basic ZXZpbDpldmls',
  'Cookie: session=evil',
  'X-Forwarded-For: 6.6.6.6',
  'Forwarded: for=6.6.6.6',
  'Content-Type: text/evil',
  'TE: trailers',
];

const BAD: readonly (readonly [string, string])[] = [
  ['a name with a blank', 'X Sum: 1'],
  ['a blank before the colon', 'X-Sum : 1'],
  ['no colon', 'X-Sum'],
  ['no name', ': 1'],
  ['a folded line', 'X-Sum: 1\r\n 2'],
  ['a NUL', 'X-Sum: 1\x002'],
  ['a bare CR', 'X-Sum: 1\r2'],
  ['a bare LF', 'X-Sum: 1\nX-More: 2'],
];

const headIsClean = (line: string): Check => {
  const name = line.slice(0, line.indexOf(':')).toLowerCase();
  const value = line.slice(line.indexOf(':') + 2);
  return ([request]) => {
    expect(request?.body.toString()).toBe('hello');
    if (request === undefined) return;
    expect(valuesOf(request, name).some((have) => have.includes(value) && name !== 'transfer-encoding')).toBe(
      false,
    );
    expect(valueOf({ fields: request.trailers }, name)).toBeUndefined();
  };
};

const cases: RequestCase[] = [
  ...FORBIDDEN.map((line) => ({
    name: `drops or refuses the trailer ${line}`,
    send: withTrailers(line),
    expected: either([400], headIsClean(line)),
  })),
  ...BAD.map(([name, line]) => ({
    name: `refuses a trailer with ${name}`,
    send: withTrailers(line),
    expected: refusedMidBody(400),
  })),
  {
    name: 'forwards a trailer behind the body and not in the head',
    send: withTrailers('X-Sum: abc'),
    expected: forwarded(([request]) => {
      expect(request?.trailers).toEqual([['X-Sum', 'abc']]);
      expect(request === undefined ? '' : valueOf(request, 'x-sum')).toBeUndefined();
    }),
  },
  {
    name: 'bounds the trailers',
    send: withTrailers(...Array.from({ length: 3000 }, (_, index) => `X-${index}: ${'v'.repeat(30)}`)),
    expected: refusedMidBody(400, 413, 431),
  },
];

describeRequests('request trailers', cases);
