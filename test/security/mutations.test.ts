import { describe, expect, test } from 'bun:test';

import { plainAnswer } from '../support/scripted-endpoint.ts';
import { mutated } from './mutations.ts';
import { either, head, observe, useLanes } from './request-suite.ts';
import { broken, observeResponse } from './response-suite.ts';

/** Seeds of the requests and responses; every run sends the same bytes. */
const REQUESTS = 240;
const RESPONSES = 120;

const GOOD_REQUESTS: readonly string[] = [
  head('GET', 'X-A: 1', 'Accept: */*'),
  `${head('POST', 'Content-Length: 5')}hello`,
  `${head('POST', 'Transfer-Encoding: chunked')}5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`,
  head('GET', 'Connection: keep-alive, X-Hop', 'X-Hop: 1', 'X-Forwarded-For: 1.2.3.4'),
  `POST http://a.test/attack?x=y HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
];

const GOOD_RESPONSES: readonly string[] = [
  plainAnswer('hello', 'X-A: 1\r\n'),
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
  `HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n${plainAnswer('ok')}`,
  'HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nSet-Cookie: a=b\r\n\r\n',
];

/** What must hold whatever was sent; the first thing that does not. */
function first(problems: readonly (string | undefined | false)[], bytes: string): string {
  const problem = problems.find((text) => typeof text === 'string');
  return typeof problem === 'string' ? `${problem}\n${JSON.stringify(bytes)}` : '';
}

describe('faults at random', () => {
  const lanes = useLanes();

  for (let seed = 1; seed <= REQUESTS; seed++) {
    test.concurrent(`request ${seed}`, async () => {
      const send = mutated(GOOD_REQUESTS, seed);
      const seen = await lanes().with((lane) => observe(lane, { name: '', send, expected: either([]) }));
      const problems = [
        seen.endpointViolation,
        seen.clientViolation,
        seen.newInnocent,
        // Bytes that were left over go before the next request of the same client: its own doing, and its own answer.
        seen.sameInnocent?.includes('/innocent/') === true ? undefined : seen.sameInnocent,
        seen.dangling > 0 && 'a request was left open at the endpoint',
        !seen.closed && seen.answers.length === 0 && 'neither an answer nor the end',
        seen.answers.some(({ status }) => status === 500) && 'internal error',
      ];
      expect(first(problems, send)).toBe('');
    }, 15_000);
  }

  for (let seed = 1; seed <= RESPONSES; seed++) {
    test.concurrent(`response ${seed}`, async () => {
      const answer = mutated(GOOD_RESPONSES, seed);
      const seen = await lanes().with((lane) =>
        observeResponse(lane, { name: '', answer, expected: broken }),
      );
      const { parsed } = seen;
      const problems = [
        parsed.kind === 'violation' && `the client got what is no response: ${parsed.reason}`,
        parsed.kind === 'incomplete' && !seen.closed && 'neither a whole answer nor the end',
        parsed.kind === 'message' && parsed.message.status === 500 && 'internal error',
        parsed.kind === 'message' && seen.surplus !== '' && 'bytes behind the answer',
        seen.newInnocent,
        seen.sameInnocent,
      ];
      expect(first(problems, answer)).toBe('');
    }, 15_000);
  }
});
