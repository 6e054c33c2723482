import { expect, test } from 'bun:test';

import { TICKET_KEY_BYTES, TicketKeys } from './ticket-keys.ts';

const key = (fill: number): Buffer => Buffer.alloc(TICKET_KEY_BYTES, fill);

test('the first seals, the others are found by their names in a ClientHello', () => {
  const keys = new TicketKeys([key(1), key(2), key(3)]);
  expect(keys.current).toEqual(key(1));
  expect(keys.previousIn(Buffer.concat([Buffer.alloc(9), key(3).subarray(0, 16)]))).toEqual(key(3));
  expect(keys.previousIn(key(1).subarray(0, 16))).toBeUndefined();
  keys.replace([key(4), key(1)]);
  expect(keys.current).toEqual(key(4));
  expect(keys.previousIn(key(1).subarray(0, 16))).toEqual(key(1));
  expect(keys.previousIn(key(3))).toBeUndefined();
});

test('there is one at least, and each has 80 bytes', () => {
  expect(() => new TicketKeys([])).toThrow(RangeError);
  expect(() => new TicketKeys([key(1), Buffer.alloc(48)])).toThrow('80 bytes');
});
