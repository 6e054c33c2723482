import { expect, test } from 'bun:test';

import { AF, available, EPOLL, fixed, SOCK, sys } from './libc.ts';
import { poller } from './poller.ts';

const news = fixed(1);

/** Two sockets that are connected to each other. */
function socketPair(): [number, number] {
  const pair = fixed(8);
  sys.socketpair(AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0, pair);
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

/** The other end of a new socket of that number, which is free. */
function peerOfNew(number: number): number {
  for (;;) {
    const [one, two] = socketPair();
    if (one === number) return two;
    if (two === number) return one;
  }
}

test.skipIf(!available)(
  'an event of what was closed means nobody, also when its number is used again',
  async () => {
    const pairs = [socketPair(), socketPair()];
    const seen = { served: 0, told: 0 };
    let reused = -1;
    let peer = -1;
    for (const [fd] of pairs) {
      poller().add(fd, EPOLL.IN | EPOLL.ET, {
        onEvents() {
          seen.served++;
          reused = pairs.find(([own]) => own !== fd)![0];
          poller().close(reused);
          peer = peerOfNew(reused);
          poller().add(reused, EPOLL.IN | EPOLL.ET, { onEvents: () => seen.told++, onAgain() {} });
        },
        onAgain() {},
      });
    }
    // Both have news when the poller looks.
    for (const [, other] of pairs) sys.send(other, news, 1, 0);
    while (seen.served === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(seen).toEqual({ served: 1, told: 0 });

    sys.send(peer, news, 1, 0);
    while (seen.told === 0) await new Promise(setImmediate);
    expect(seen).toEqual({ served: 1, told: 1 });
    for (const [fd] of pairs) poller().close(fd);
  },
);
