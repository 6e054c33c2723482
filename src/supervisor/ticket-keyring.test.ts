import { expect, test } from 'bun:test';

import { listenerTls, type ListenerTlsConfig } from '../config/schema/tls.ts';
import { TICKET_KEY_BYTES } from '../net/tls/ticket-keys.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { TicketKeyring } from './ticket-keyring.ts';

const HOUR_MS = 3_600_000;

function config(sessionTickets: object): ListenerTlsConfig {
  return listenerTls.parse({ certificates: [{ cert: 'c', key: 'k' }], sessionTickets });
}

function keyring(): { clock: FakeClock; ring: TicketKeyring } {
  let made = 0;
  const clock = new FakeClock();
  return { clock, ring: new TicketKeyring(clock, undefined, (bytes) => Buffer.alloc(bytes, ++made)) };
}

test('a new key after each interval; the two before it stay', () => {
  const { clock, ring } = keyring();
  const keys = ring.keysOf('web', config({ rotate: '1h' }));
  const first = keys.current;
  clock.advance(HOUR_MS);
  expect(keys.current).not.toEqual(first);
  expect(keys.previousIn(first)).toEqual(first);
  clock.advance(HOUR_MS);
  expect(keys.previousIn(first)).toEqual(first);
  clock.advance(HOUR_MS);
  expect(keys.previousIn(first)).toBeUndefined();
  ring.stop();
});

test('a reload keeps the keys, and each listener has its own', () => {
  const { ring } = keyring();
  const keys = ring.keysOf('web', config({}));
  const { current } = keys;
  expect(ring.keysOf('web', config({ rotate: '2h' }))).toBe(keys);
  expect(keys.current).toBe(current);
  expect(ring.keysOf('other', config({})).current).not.toEqual(current);
  ring.stop();
});

test('keys of a file replace our own, and are not used any more without it', () => {
  const { clock, ring } = keyring();
  const shared = config({ keyFile: 'f' });
  const tickets = shared.sessionTickets;
  if (tickets !== false)
    tickets.keyFile!.content = 'a'.repeat(TICKET_KEY_BYTES) + 'b'.repeat(TICKET_KEY_BYTES);
  const keys = ring.keysOf('web', shared);
  expect(keys.current.toString()).toBe('a'.repeat(TICKET_KEY_BYTES));
  expect(keys.previousIn(Buffer.from('b'.repeat(16)))?.toString()).toBe('b'.repeat(TICKET_KEY_BYTES));
  clock.advance(100 * HOUR_MS);
  expect(keys.current.toString()).toBe('a'.repeat(TICKET_KEY_BYTES));
  ring.keysOf('web', config({}));
  expect(keys.current.toString()).not.toBe('a'.repeat(TICKET_KEY_BYTES));
  ring.stop();
});
