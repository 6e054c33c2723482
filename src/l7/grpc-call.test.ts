import { expect, test } from 'bun:test';

import { requestHead } from '../../test/support/request-head.ts';
import { isGrpcCall } from '../http/grpc-request.ts';
import { GrpcCall } from './grpc-call.ts';

test.each([
  ['application/grpc', true],
  ['application/grpc+proto', true],
  ['application/grpc;x=1', true],
  ['application/grpc-web', false],
  ['application/grpcx', false],
  ['application/json', false],
])('%s: %p', (type, is) => {
  expect(isGrpcCall(requestHead('POST', '/a.B/C', `Content-Type: ${type}`))).toBe(is);
  expect(isGrpcCall(requestHead('GET', '/a.B/C', `Content-Type: ${type}`))).toBe(false);
});

function told(timeout: string, ...spentMs: number[]): string[] {
  const request = requestHead('POST', '/a.B/C', `grpc-timeout: ${timeout}`);
  const call = new GrpcCall();
  call.readTimeout(request);
  for (const ms of spentMs) call.tellTimeLeft(request, ms);
  return request.fields.written().filter((line) => line.startsWith('grpc-timeout'));
}

test.each([
  ['1S', 0, '1S'],
  ['1S', 300, '700m'],
  ['1S', 5000, '1m'],
  ['500000u', 100, '400m'],
  ['99999999S', 1000, '99999998S'],
  ['99999999M', 60_000, '1666666H'],
  ['99999999H', 3_600_000, '99999998H'],
  ['soon', 300, 'soon'],
])('of %s after %p ms the endpoint is told %s', (timeout, spentMs, left) => {
  expect(told(timeout, spentMs)).toEqual([`grpc-timeout: ${left}`]);
});

test('each attempt is told what is left then', () => {
  expect(told('1S', 100, 400)).toEqual(['grpc-timeout: 600m']);
});
