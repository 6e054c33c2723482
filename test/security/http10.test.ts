import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  body,
  type Check,
  describeRequests,
  either,
  forwarded,
  refused,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

function old(method: string, ...lines: string[]): string {
  return [`${method} /attack HTTP/1.0`, 'Host: a.test', ...lines, '', ''].join('\r\n');
}

/** An answer that an HTTP/1.0 client can read: no chunks, no interim status. */
const plain: Check = (_, answers) => {
  for (const answer of answers) expect(valueOf(answer, 'transfer-encoding')).toBeUndefined();
};

const cases: RequestCase[] = [
  {
    name: 'refuses chunked',
    send: `${old('POST', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses chunked with keep-alive',
    send: `${old('POST', 'Connection: keep-alive', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses chunked beside a length',
    send: `${old('POST', 'Content-Length: 5', 'Transfer-Encoding: chunked')}hello`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses an unknown coding',
    send: `${old('POST', 'Transfer-Encoding: identity')}hello`,
    expected: refused(400, 501),
  },
  {
    name: 'forwards a request and closes behind the answer',
    send: old('GET'),
    expected: forwarded((requests, answers) => {
      plain(requests, answers);
      expect(answers[0] === undefined ? '' : (valueOf(answers[0], 'connection') ?? 'close')).not.toMatch(
        /keep-alive/i,
      );
    }),
  },
  {
    name: 'forwards a body with a length',
    send: `${old('POST', 'Content-Length: 5')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'keeps the connection when asked to, or closes it',
    send: old('GET', 'Connection: keep-alive'),
    expected: forwarded(plain),
  },
  {
    name: 'takes no body without a length',
    send: `${old('POST')}${SMUGGLED}`,
    expected: either([400, 411]),
  },
  {
    name: 'forwards a request without Host under some Host, or refuses it',
    send: 'GET /attack HTTP/1.0\r\n\r\n',
    expected: either([400]),
  },
  {
    name: 'refuses two Hosts',
    send: 'GET /attack HTTP/1.0\r\nHost: a.test\r\nHost: b.test\r\n\r\n',
    expected: refused(400),
  },
  {
    name: 'refuses a bad Host',
    send: 'GET /attack HTTP/1.0\r\nHost: a.test/evil\r\n\r\n',
    expected: refused(400),
  },
  {
    name: 'does not answer Expect with 100',
    send: `${old('POST', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    expected: either([400, 417], body('hello')),
  },
];

describeRequests('HTTP/1.0', cases);
