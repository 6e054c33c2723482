import { expect } from 'bun:test';

import { valueOf, valuesOf } from '../support/strict-fields.ts';
import {
  body,
  type Check,
  describeRequests,
  either,
  forwarded,
  head,
  type RequestCase,
} from './request-suite.ts';

/** RFC 9110 section 7.6.1: what Connection names goes, then Connection itself; and never what others rely on. */
function without(...names: string[]): Check {
  return ([request]) => {
    for (const name of names) expect(request === undefined ? '' : valueOf(request, name)).toBeUndefined();
  };
}

/** The true peer is named as the last hop, whatever the client asked to remove. */
const namesPeer: Check = ([request]) => {
  if (request === undefined) return;
  expect(valueOf(request, 'x-forwarded-for')).toBe('127.0.0.1');
  expect(valueOf(request, 'x-forwarded-proto')).toBe('http');
  expect(valueOf(request, 'forwarded')).toMatch(/for="?127\.0\.0\.1/);
  expect(valueOf(request, 'via')).toMatch(/pointsman/);
};

const namesPeerOnly: readonly string[] = [
  'X-Forwarded-For',
  'x-forwarded-for, x-forwarded-proto, x-forwarded-host',
  'Forwarded',
  'Via',
  'close, X-Forwarded-For',
  'X-Forwarded-For, keep-alive',
];

/** Options that would take away what must arrive: refused, or passed over. */
const END_TO_END: readonly (readonly [option: string, line: string])[] = [
  ['Host', 'X-A: 1'],
  ['Content-Length', 'X-A: 1'],
  ['Cookie', 'Cookie: a=b'],
  ['Authorization', 'Authorization: Basic eDp5'],
  ['Cache-Control', 'Cache-Control: no-store'],
];

const cases: RequestCase[] = [
  ...namesPeerOnly.map((options) => ({
    name: `keeps its own fields when Connection names ${options}`,
    send: head('GET', `Connection: ${options}`, 'X-Forwarded-For: 6.6.6.6'),
    expected: forwarded(namesPeer),
  })),
  ...END_TO_END.map(([option, line]) => ({
    name: `does not lose ${option} to Connection`,
    send: `${head('POST', `Connection: keep-alive, ${option}`, line, 'Content-Length: 5')}hello`,
    expected: either([400], (requests, answers) => {
      body('hello')(requests, answers);
      const request = requests[0];
      if (request !== undefined && line !== 'X-A: 1')
        expect(valuesOf(request, option.toLowerCase()).length).toBe(1);
    }),
  })),
  {
    name: 'does not lose the framing to Connection: Transfer-Encoding',
    send: `${head('POST', 'Connection: Transfer-Encoding', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    expected: either([400], body('hello')),
  },
  {
    name: 'does not lose the framing to Connection: Content-Length in odd case',
    send: `${head('POST', 'cOnNeCtIoN: cOnTeNt-LeNgTh', 'Content-Length: 5')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'removes a field that Connection names',
    send: head('GET', 'Connection: X-Hop', 'X-Hop: 1', 'X-End: 2'),
    expected: forwarded(without('x-hop')),
  },
  {
    name: 'removes a field that Connection names behind it',
    send: head('GET', 'X-Hop: 1', 'x-hop: 2', 'X-End: 2', 'Connection: keep-alive, x-hop'),
    expected: forwarded(without('x-hop')),
  },
  {
    name: 'removes fields that several Connection lines name',
    send: head('GET', 'Connection: X-One', 'X-One: 1', 'X-Two: 2', 'Connection: X-Two'),
    expected: forwarded(without('x-one', 'x-two')),
  },
  {
    name: 'reads a Connection list with empty elements',
    send: head('GET', 'Connection: , ,X-Hop,,', 'X-Hop: 1'),
    expected: either([400], without('x-hop')),
  },
  {
    name: 'removes the hop-by-hop fields that nobody names',
    send: head(
      'GET',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: gzip',
      'Trailer: X-Sum',
      'Upgrade: foo',
      'Proxy-Authenticate: Basic',
    ),
    expected: forwarded(without('keep-alive', 'proxy-connection', 'te', 'upgrade')),
  },
  {
    name: 'keeps of TE no more than trailers',
    send: head('GET', 'Connection: TE', 'TE: trailers, deflate;q=0.5'),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : (valueOf(request, 'te') ?? 'trailers')).toBe('trailers');
    }),
  },
  {
    name: 'closes behind the answer when asked to',
    send: head('GET', 'Connection: close'),
    expected: forwarded((_, [answer]) => {
      expect(answer === undefined ? '' : valueOf(answer, 'connection')).toBe('close');
    }),
  },
  {
    name: 'refuses or passes over an option that is no token',
    send: head('GET', 'Connection: keep-alive, "X-Hop", X Hop'),
    expected: either([400]),
  },
  {
    name: 'does not choke on a very long list',
    send: head(
      'GET',
      `Connection: ${Array.from({ length: 2000 }, (_, index) => `x-${index}`).join(',')}`,
      'X-7: 1',
    ),
    expected: either([400, 431], without('x-7')),
  },
];

describeRequests('Connection', cases);
