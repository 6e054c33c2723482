import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';

import { type DatagramHandler, type DatagramSocket } from '../../src/net/datagram-socket.ts';
import { connectDatagrams } from '../../src/net/datagrams.ts';
import { startPointsman } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { UdpEndpoint } from '../support/udp-peers.ts';

const SESSIONS = 10_000;
const BATCH = 100;
const KIB = 1024;

/** Descriptors of a process. */
function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

class Client implements DatagramHandler {
  answers = 0;
  readonly socket: DatagramSocket;

  constructor(port: number) {
    this.socket = connectDatagrams('127.0.0.1', port, this);
  }

  onDatagram(): void {
    this.answers++;
  }

  onRefused(): void {}
}

test('10 000 sessions at once: bounded memory each, all answered, nothing left when they are idle', async () => {
  const endpoints = await Promise.all(['a', 'b'].map((name) => UdpEndpoint.start(name, (asked) => [asked])));
  await using pointsman = await startPointsman({
    listeners: [
      { name: 'in', address: '127.0.0.1:0', protocol: 'udp', pool: 'p', timeouts: { idle: '12s' } },
    ],
    pools: [
      {
        name: 'p',
        policy: 'maglev',
        hash: { key: 'client-ip-port' },
        endpoints: endpoints.map(({ address }) => address),
      },
    ],
  });
  const { port } = pointsman.address();
  const [worker = 0] = pointsman.workerPids;
  const before = { fds: descriptors(worker), bytes: pointsman.workerRssBytes() };
  const clients: Client[] = [];
  const word = Buffer.from('hello');
  while (clients.length < SESSIONS) {
    const batch = Array.from({ length: BATCH }, () => new Client(port));
    clients.push(...batch);
    // Buffers of the kernel are small and the machine may be busy: what is lost is said again.
    await untilTrue('answers', () => {
      for (const client of batch) if (client.answers === 0) client.socket.send(word, word.length);
      return batch.every(({ answers }) => answers > 0);
    });
  }
  expect(descriptors(worker) - before.fds).toBeWithin(SESSIONS * 0.9, SESSIONS + 10);
  expect((pointsman.workerRssBytes() - before.bytes) / SESSIONS).toBeLessThan(4 * KIB);
  for (const client of clients) client.socket.close();
  await untilTrue('the end of all sessions', () => descriptors(worker) <= before.fds + 2);
  for (const endpoint of endpoints) endpoint.close();
}, 90_000);
