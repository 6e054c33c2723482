import { expect, test } from 'bun:test';

import { SessionRules } from './session-rules.ts';

test.each([
  // session.requests, session.responses, datagrams so far, answers so far: spent, complete
  [0, undefined, 5, 5, false, false],
  [0, 1, 1, 0, false, false],
  [0, 1, 1, 1, false, true],
  [0, 1, 2, 1, false, false],
  [0, 2, 2, 4, false, true],
  [0, 0, 1, 0, false, false],
  [1, undefined, 1, 1, true, false],
  [1, 1, 1, 0, true, false],
  [1, 1, 1, 1, true, true],
  [1, 0, 1, 0, true, true],
  [2, 1, 1, 1, false, false],
  [2, 1, 2, 1, true, false],
  [2, 1, 2, 2, true, true],
])('requests %p, responses %p, after %d and %d', (most, each, requests, responses, spent, complete) => {
  const rules = new SessionRules({ requests: most, ...(each === undefined ? {} : { responses: each }) });
  expect(rules.isSpent(requests)).toBe(spent);
  expect(rules.isComplete(requests, responses)).toBe(complete);
  expect(rules.expectsAnswers).toBe(each !== undefined && each > 0);
  expect(rules.single).toBe(most === 1);
});
