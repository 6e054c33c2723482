import { expect, test } from 'bun:test';

import { ocspProblem } from './ocsp-response.ts';

const STRANGE = 'is not an OCSP response in DER';

test.each([
  ['nothing', '', STRANGE],
  ['text', Buffer.from('-----BEGIN OCSP RESPONSE-----').toString('hex'), STRANGE],
  ['an error of the server', '30030a0103', 'holds no answer, but the error tryLater'],
  ['an error that nobody knows', '30030a0163', 'holds no answer, but the error 99'],
  ['an answer', '30050a0100a000', undefined],
  ['an answer of more than 127 bytes', `3081830a0100a07e${'00'.repeat(126)}`, undefined],
  ['an answer that was cut', '30060a0100a000', STRANGE],
  ['something behind it', '30050a0100a00000', STRANGE],
  ['a length without end', '30ff0a0100a000', STRANGE],
  ['another sequence', '3003020100', STRANGE],
])('%s', (_name, hex, problem) => {
  expect(ocspProblem(Buffer.from(hex, 'hex'))).toBe(problem as never);
});
