import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import {
  type Check,
  describeRequests,
  either,
  head,
  refused,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

/** RFC 9112 section 6.1: a sender must not send both; we take it for the attack that it is. */
const CHUNKED = '5\r\nhello\r\n0\r\n\r\n';

/** Both readings of a request with an odd coding beside a length are dangerous: one of them must have been chosen. */
const oneFraming: Check = ([request]) => {
  expect(request).toBeDefined();
  if (request === undefined) return;
  expect(valueOf(request, 'transfer_encoding')).toBeUndefined();
};

const cases: RequestCase[] = [
  {
    name: 'refuses a length before chunked',
    send: `${head('POST', 'Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`,
    expected: refused(400),
  },
  {
    name: 'refuses chunked before a length',
    send: `${head('POST', 'Transfer-Encoding: chunked', 'Content-Length: 4')}${CHUNKED}${SMUGGLED}`,
    expected: refused(400),
  },
  {
    name: 'refuses both even when they agree',
    send: `${head('POST', `Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses both with a length of zero',
    send: `${head('POST', 'Content-Length: 0', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses both in odd case',
    send: `${head('POST', 'cOnTeNt-LeNgTh: 6', 'tRaNsFeR-eNcOdInG: ChUnKeD')}0\r\n\r\nG`,
    expected: refused(400),
  },
  {
    name: 'refuses both with other fields between',
    send: `${head('POST', 'Content-Length: 6', 'X-A: 1', 'X-B: 2', 'Transfer-Encoding: chunked')}0\r\n\r\nG`,
    expected: refused(400),
  },
  {
    name: 'refuses both on a GET',
    send: `${head('GET', 'Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`,
    expected: refused(400),
  },
  {
    name: 'refuses a length beside identity',
    send: `${head('POST', 'Content-Length: 5', 'Transfer-Encoding: identity')}hello`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses a length beside an unknown coding',
    send: `${head('POST', 'Content-Length: 5', 'Transfer-Encoding: xchunked')}hello`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses a length beside an empty coding',
    send: `${head('POST', 'Content-Length: 5', 'Transfer-Encoding:')}hello`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses a bad length beside chunked',
    send: `${head('POST', 'Content-Length: abc', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a coding with a blank before its colon beside a length',
    send: `${head('POST', `Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding : chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a coding hidden behind a bare LF',
    send: `${head('POST', 'X-A: b\nTransfer-Encoding: chunked', `Content-Length: ${CHUNKED.length}`)}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a coding hidden behind a bare CR',
    send: `${head('POST', 'X-A: b\rTransfer-Encoding: chunked', `Content-Length: ${CHUNKED.length}`)}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a coding on a folded line beside a length',
    send: `${head('POST', `Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding:\r\n chunked')}${CHUNKED}`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses a coding folded into the field before it',
    send: `${head('POST', 'X-A: b', ' Transfer-Encoding: chunked', 'Content-Length: 5')}hello`,
    expected: either([400], oneFraming),
  },
  {
    name: 'never forwards transfer_encoding beside a length',
    send: `${head('POST', 'Content-Length: 5', 'Transfer_Encoding: chunked')}hello`,
    expected: either([400], oneFraming),
  },
  {
    name: 'never forwards content_length beside chunked',
    send: `${head('POST', 'Content_Length: 3', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'content_length')).toBeUndefined();
    }),
  },
];

describeRequests('Content-Length and Transfer-Encoding', cases);
