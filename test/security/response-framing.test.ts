import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  broken,
  describeResponses,
  got,
  passed,
  passedOrReplaced,
  replaced,
  type ResponseCase,
} from './response-suite.ts';

function answer(...parts: string[]): string {
  return ['HTTP/1.1 200 OK', ...parts].join('\r\n');
}

const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';

const BAD_LENGTHS: readonly string[] = [
  '+5',
  '-5',
  '0x5',
  '5.0',
  '5_0',
  '5 5',
  '5,6',
  '',
  'abc',
  '18446744073709551621',
  '5\x0b',
];
const BAD_CODINGS: readonly string[] = [
  'identity',
  'gzip',
  'xchunked',
  'gzip, chunked',
  'chunked, chunked',
  'chunked;q=1',
  '"chunked"',
  '\x0bchunked',
  'chunked\xa0',
];

const cases: ResponseCase[] = [
  ...BAD_LENGTHS.map((value) => ({
    name: `replaces a length of ${JSON.stringify(value)}`,
    answer: answer(`Content-Length: ${value}`, '', 'hello'),
    expected: replaced(),
  })),
  ...BAD_CODINGS.map((value) => ({
    name: `replaces a coding of ${JSON.stringify(value)}`,
    answer: answer(`Transfer-Encoding: ${value}`, '', CHUNKS),
    ending: 'fin' as const,
    expected: replaced(),
  })),
  {
    name: 'replaces a length and a coding, or drops the length',
    answer: answer('Content-Length: 3', 'Transfer-Encoding: chunked', '', CHUNKS),
    expected: passedOrReplaced(got(200, 'hello')),
  },
  {
    name: 'replaces a coding and a length, or drops the length',
    answer: answer('Transfer-Encoding: chunked', 'Content-Length: 100', '', CHUNKS),
    expected: passedOrReplaced(got(200, 'hello')),
  },
  {
    name: 'replaces two different lengths',
    answer: answer('Content-Length: 5', 'Content-Length: 3', '', 'hello'),
    expected: replaced(),
  },
  {
    name: 'passes one of two equal lengths, or replaces them',
    answer: answer('Content-Length: 5', 'Content-Length: 5', '', 'hello'),
    expected: passedOrReplaced(got(200, 'hello')),
    reusable: true,
  },
  {
    name: 'replaces chunked in HTTP/1.0, or closes behind it',
    answer: `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    ending: 'fin',
    expected: passedOrReplaced((message) => expect(['hello', CHUNKS]).toContain(message.body.toString())),
  },
  {
    name: 'passes a body that ends with the connection',
    answer: answer('Connection: close', '', 'hello'),
    ending: 'fin',
    expected: passed(got(200, 'hello')),
  },
  {
    name: 'passes a body that ends with an HTTP/1.0 connection',
    answer: 'HTTP/1.0 200 OK\r\n\r\nhello',
    ending: 'fin',
    expected: passed(got(200, 'hello')),
  },
  {
    name: 'does not give a good end to a close body that is reset',
    answer: [answer('Connection: close', '', 'hello')],
    ending: 'reset',
    expected: broken,
  },
  {
    name: 'does not give a good end to a length that is cut',
    answer: answer('Content-Length: 100', '', 'hello'),
    ending: 'fin',
    expected: broken,
  },
  {
    name: 'does not give a good end to a length that is reset',
    answer: answer('Content-Length: 100', '', 'hello'),
    ending: 'reset',
    expected: broken,
  },
  {
    name: 'does not give a good end to a length that stops',
    answer: answer('Content-Length: 100', '', 'hello'),
    expected: broken,
  },
  {
    name: 'passes a length of zero',
    answer: answer('Content-Length: 0', '', ''),
    expected: passed(got(200, '')),
    reusable: true,
  },
  {
    name: 'passes chunks',
    answer: answer('Transfer-Encoding: chunked', '', CHUNKS),
    expected: passed(got(200, 'hello')),
    reusable: true,
  },
  {
    name: 'passes chunks in pieces',
    answer: answer('Transfer-Encoding: chunked', '', CHUNKS).split(''),
    expected: passed(got(200, 'hello')),
    reusable: true,
  },
  {
    name: 'passes chunks to an HTTP/1.0 client without chunks',
    request: 'GET /evil HTTP/1.0\r\nHost: a.test\r\n\r\n',
    answer: answer('Transfer-Encoding: chunked', '', CHUNKS),
    expected: passed((message) => {
      expect(message.body.toString()).toBe('hello');
      expect(valueOf(message, 'transfer-encoding')).toBeUndefined();
    }),
    reusable: true,
  },
];

describeResponses('response framing', cases);
