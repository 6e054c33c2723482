import { expect, test } from 'bun:test';

import { HeldSockets } from './held-sockets.ts';
import { available } from './linux/libc.ts';
import { lostDatagrams } from './lost-datagrams.ts';

test.if(available)('datagrams that find a socket full are counted for it, and for no other', async () => {
  const full = await HeldSockets.open('udp', '127.0.0.1', 0, 1);
  const quiet = await HeldSockets.open('udp', '::1', 0, 2);
  const groups = new Map([
    ['full', full.descriptors],
    ['quiet', quiet.descriptors],
  ]);
  expect([...lostDatagrams(groups).values()]).toEqual([0, 0]);
  const sender = await Bun.udpSocket({});
  const bytes = Buffer.alloc(8000);
  // Nobody reads: the buffer of the socket takes some hundred.
  for (let count = 0; count < 2000; count++) sender.send(bytes, full.port, '127.0.0.1');
  sender.close();
  expect(lostDatagrams(groups).get('full')).toBeGreaterThan(100);
  expect(lostDatagrams(groups).get('quiet')).toBe(0);
  full.close();
  quiet.close();
});

test('nothing is looked up for nothing', () => expect(lostDatagrams(new Map()).size).toBe(0));
