import { afterEach, describe, expect, test } from 'bun:test';

import { freePorts } from '../../test/support/free-ports.ts';
import type {
  DatagramAcceptor,
  DatagramHandler,
  DatagramListener,
  DatagramSocket,
  Party,
} from './datagram-socket.ts';
import { bindDatagrams, connectDatagrams, serveDatagrams } from './datagrams.ts';
import { connectFd } from './linux/fd-datagram-socket.ts';
import { available } from './linux/libc.ts';
import { partyIp, partyPort, writeParty } from './party.ts';
import { connectRuntime, listenRuntimeDatagrams } from './runtime/runtime-datagrams.ts';

/** The largest payload of a datagram over IPv4: 65 535 less the heads of IP and UDP. */
const LARGEST = 65_507;

interface Kind {
  readonly name: string;
  listen(ip: string, acceptor: DatagramAcceptor): Promise<DatagramListener>;
  connect(ip: string, port: number, handler: DatagramHandler): DatagramSocket;
}

const runtime: Kind = {
  name: 'the runtime',
  listen: (ip, acceptor) => listenRuntimeDatagrams(ip, 0, acceptor),
  connect: connectRuntime,
};
const descriptors: Kind = {
  name: 'descriptors',
  listen: async (ip, acceptor) => serveDatagrams(await bindDatagrams(ip, 0, false), acceptor),
  connect: connectFd,
};
const kinds =
  available && process.env['POINTSMAN_SOCKETS'] !== 'runtime' ? [descriptors, runtime] : [runtime];

const open: { stop?(): void; close?(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    one.stop?.();
    one.close?.();
  }
});

/** Collects what arrives and lets a test wait for so much. */
class Inbox implements DatagramHandler {
  readonly datagrams: Buffer[] = [];
  readonly refusals: string[] = [];
  #woken = Promise.withResolvers<undefined>();

  onDatagram(bytes: Buffer, length: number): void {
    this.datagrams.push(Buffer.from(bytes.subarray(0, length)));
    this.#wake();
  }

  onRefused(code: string): void {
    this.refusals.push(code);
    this.#wake();
  }

  #wake(): void {
    this.#woken.resolve(undefined);
    this.#woken = Promise.withResolvers();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#woken.promise;
  }
}

/** Answers everything with itself, and remembers from whom it came. */
async function echo(kind: Kind, ip: string): Promise<{ listener: DatagramListener; parties: Party[] }> {
  const parties: Party[] = [];
  const listener = await kind.listen(ip, {
    onDatagram(bytes, length, party) {
      parties.push(party.slice());
      listener.send(party, bytes, length);
    },
    onTruncated() {},
    onLost() {},
  });
  open.push(listener);
  return { listener, parties };
}

function dialled(kind: Kind, ip: string, port: number): { inbox: Inbox; socket: DatagramSocket } {
  const inbox = new Inbox();
  const socket = kind.connect(ip, port, inbox);
  open.push(socket);
  return { inbox, socket };
}

describe.each(kinds)('sockets of $name', (kind) => {
  test.each(['127.0.0.1', '::1'])('there and back by %s, from nothing to the largest', async (ip) => {
    const { listener } = await echo(kind, ip);
    const { inbox, socket } = dialled(kind, ip, listener.port);
    for (const length of [0, 1, 512, 1472, 9000, LARGEST]) {
      const sent = Buffer.alloc(length, length & 0xff);
      expect(socket.send(sent, length)).toBe('sent');
      await inbox.until(() => inbox.datagrams.length === 1);
      expect(inbox.datagrams.shift()!.equals(sent)).toBe(true);
    }
  });

  test('only so many bytes of a buffer as it is told', async () => {
    const { listener } = await echo(kind, '127.0.0.1');
    const { inbox, socket } = dialled(kind, '127.0.0.1', listener.port);
    socket.send(Buffer.from('abcdef'), 3);
    await inbox.until(() => inbox.datagrams.length === 1);
    expect(inbox.datagrams[0]!.toString()).toBe('abc');
  });

  test('nobody there: it is told', async () => {
    const [port = 0] = await freePorts(1);
    const { inbox, socket } = dialled(kind, '127.0.0.1', port);
    socket.send(Buffer.from('x'), 1);
    await inbox.until(() => inbox.refusals.length > 0);
    expect(inbox.refusals[0]).toBe('ECONNREFUSED');
  });

  test('what comes from somebody else is not heard', async () => {
    const { listener } = await echo(kind, '127.0.0.1');
    const { listener: other, parties } = await echo(kind, '127.0.0.1');
    const { inbox, socket } = dialled(kind, '127.0.0.1', other.port);
    socket.send(Buffer.from('hello'), 5);
    await inbox.until(() => inbox.datagrams.length === 1);
    listener.send(parties[0]!, Buffer.from('forged'), 6);
    socket.send(Buffer.from('again'), 5);
    await inbox.until(() => inbox.datagrams.length === 2);
    expect(inbox.datagrams.map(String)).toEqual(['hello', 'again']);
  });

  test('who sent it is known', async () => {
    const { listener, parties } = await echo(kind, '127.0.0.1');
    const { inbox, socket } = dialled(kind, '127.0.0.1', listener.port);
    socket.send(Buffer.from('x'), 1);
    await inbox.until(() => inbox.datagrams.length === 1);
    expect(partyIp(parties[0]!)).toBe('127.0.0.1');
    expect(partyPort(parties[0]!)).toBeGreaterThan(0);
  });

  test('a closed socket is silent', async () => {
    const { listener } = await echo(kind, '127.0.0.1');
    const { inbox, socket } = dialled(kind, '127.0.0.1', listener.port);
    socket.send(Buffer.from('x'), 1);
    await inbox.until(() => inbox.datagrams.length === 1);
    socket.send(Buffer.from('y'), 1);
    socket.close();
    socket.close();
    await Bun.sleep(30);
    expect(inbox.datagrams.length).toBe(1);
  });
});

(available ? describe : describe.skip)('sockets of descriptors', () => {
  test('hundreds that arrive together are all served, each by its own sender', async () => {
    const { listener } = await echo(descriptors, '127.0.0.1');
    const clients = Array.from({ length: 20 }, () => dialled(descriptors, '127.0.0.1', listener.port));
    for (let round = 0; round < 10; round++) {
      for (const [index, { socket }] of clients.entries())
        socket.send(Buffer.from(`${index}:${round}`), 3 + (index > 9 ? 1 : 0));
    }
    for (const [index, { inbox }] of clients.entries()) {
      await inbox.until(() => inbox.datagrams.length === 10);
      expect(inbox.datagrams.map(String)).toEqual(
        Array.from({ length: 10 }, (_, round) => `${index}:${round}`),
      );
    }
  });

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.9'],
    ['::', '::1'],
    ['::', '127.0.0.7'],
  ])('bound to %s, it answers from %s when that was asked', async (bound, asked) => {
    // A connected socket hears nobody but the address that it sent to.
    const { listener, parties } = await echo(descriptors, bound);
    const { inbox, socket } = dialled(descriptors, asked, listener.port);
    socket.send(Buffer.from('x'), 1);
    await inbox.until(() => inbox.datagrams.length + inbox.refusals.length === 1);
    expect(inbox.datagrams.length).toBe(1);
    expect(partyIp(parties[0]!)).toBe(asked === '::1' ? '::1' : '127.0.0.1');
  });

  test('the same client to two of our addresses is two parties', async () => {
    const { listener, parties } = await echo(descriptors, '0.0.0.0');
    const arrived = Promise.withResolvers<undefined>();
    const client = await Bun.udpSocket({
      hostname: '127.0.0.1',
      socket: { data: () => void (parties.length === 2 && arrived.resolve(undefined)) },
    });
    client.send('x', listener.port, '127.0.0.1');
    client.send('x', listener.port, '127.0.0.2');
    await arrived.promise;
    client.close();
    expect(parties[0]!.subarray(0, 8)).toEqual(parties[1]!.subarray(0, 8));
    expect(parties[0]!.subarray(8)).not.toEqual(parties[1]!.subarray(8));
  });

  test('an address in use is refused, unless it is shared', async () => {
    const { listener } = await echo(descriptors, '127.0.0.1');
    const again = bindDatagrams('127.0.0.1', listener.port, false);
    expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await again.catch(() => {});
    const acceptor: DatagramAcceptor = { onDatagram() {}, onTruncated() {}, onLost() {} };
    const first = serveDatagrams(await bindDatagrams('127.0.0.1', 0, true), acceptor);
    const one = await first;
    open.push(one);
    const two = await serveDatagrams(await bindDatagrams('127.0.0.1', one.port, true), acceptor);
    open.push(two);
    expect(two.port).toBe(one.port);
  });
});

test('what is no address cannot be connected to', () => {
  const inbox = new Inbox();
  if (available) expect(() => connectDatagrams('nowhere', 1, inbox)).toThrow('not an IP address');
});

test.each([
  ['127.0.0.1', 53],
  ['2001:db8::1', 65_535],
])('a party is made from %s and read again', (ip, port) => {
  const party = new Int32Array(12);
  writeParty(party, ip, port);
  expect(partyIp(party)).toBe(ip);
  expect(partyPort(party)).toBe(port);
});
