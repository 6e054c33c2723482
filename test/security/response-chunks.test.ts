import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  broken,
  describeResponses,
  got,
  passed,
  passedOrReplaced,
  type ResponseCase,
} from './response-suite.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Chunks that are cut, or wrong: the client must be able to tell that the answer is not whole. */
const BAD: readonly (readonly [string, string])[] = [
  ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a blank in front', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a size that is no number', 'xyz\r\nhello\r\n0\r\n\r\n'],
  ['a size of 2^64 + 5', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['a size that ends in LF', '5\nhello\r\n0\r\n\r\n'],
  ['data that ends in LF', '5\r\nhello\n0\r\n\r\n'],
  ['data that ends in two other bytes', '5\r\nhelloXX0\r\n\r\n'],
  ['data longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['a last chunk that ends in LF', '5\r\nhello\r\n0\n\n'],
  ['an extension with a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a bare LF', '5;a\nhello\r\n0\r\n\r\n'],
  ['an extension without an end', `5;${'a'.repeat(200_000)}`],
  ['a trailer with a NUL', '5\r\nhello\r\n0\r\nX: \0\r\n\r\n'],
  ['a trailer without a colon', '5\r\nhello\r\n0\r\nX\r\n\r\n'],
  ['trailers without an end', `5\r\nhello\r\n0\r\n${'X: y\r\n'.repeat(60_000)}`],
];

const CUT: readonly (readonly [string, string])[] = [
  ['behind a chunk', '5\r\nhello\r\n'],
  ['in a chunk', '5\r\nhe'],
  ['in a size', '5\r\nhello\r\n1'],
  ['behind the last chunk', '5\r\nhello\r\n0\r\n'],
  ['in the trailers', '5\r\nhello\r\n0\r\nX: y\r\n'],
  ['before the first chunk', ''],
];

const cases: ResponseCase[] = [
  ...BAD.map(([name, bytes]) => ({
    name: `gives no good end to ${name}`,
    answer: `${HEAD}${bytes}`,
    expected: broken,
  })),
  ...BAD.slice(0, 9).map(([name, bytes]) => ({
    name: `gives no good end to ${name} behind the head`,
    answer: [HEAD, bytes],
    expected: broken,
  })),
  ...CUT.flatMap(([name, bytes]) => [
    {
      name: `gives no good end to chunks closed ${name}`,
      answer: [HEAD, bytes],
      ending: 'fin' as const,
      expected: broken,
    },
    {
      name: `gives no good end to chunks reset ${name}`,
      answer: [HEAD, bytes],
      ending: 'reset' as const,
      expected: broken,
    },
  ]),
  {
    name: 'gives no good end to chunks that stop',
    answer: `${HEAD}5\r\nhello\r\n`,
    expected: broken,
  },
  {
    name: 'gives an HTTP/1.0 client no good end to chunks that are cut',
    request: 'GET /evil HTTP/1.0\r\nHost: a.test\r\n\r\n',
    answer: [HEAD, '5\r\nhello\r\n', 'zz\r\n'],
    expected: broken,
  },
  {
    name: 'drops extensions',
    answer: `${HEAD}5;a=b\r\nhello\r\n0;c="d"\r\n\r\n`,
    expected: passed(got(200, 'hello')),
    reusable: true,
  },
  {
    name: 'passes trailers behind the body',
    request: 'GET /evil HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n',
    answer: `HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n`,
    expected: passed((answer) => {
      expect(answer.body.toString()).toBe('hello');
      expect(answer.trailers).toEqual([['X-Sum', 'abc']]);
      expect(valueOf(answer, 'x-sum')).toBeUndefined();
    }),
    reusable: true,
  },
  {
    name: 'drops or replaces trailers that frame or identify',
    answer: `${HEAD}5\r\nhello\r\n0\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\nTransfer-Encoding: gzip\r\n\r\n`,
    expected: passedOrReplaced((answer) => {
      expect(answer.body.toString()).toBe('hello');
      expect(answer.trailers).toEqual([]);
    }),
    reusable: true,
  },
];

describeResponses('chunked responses', cases);
