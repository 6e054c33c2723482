import { expect, test } from 'bun:test';

import type { ConnectionHandler } from '../connection.ts';
import { listenFd } from './fd-listener.ts';

const deaf: ConnectionHandler = {
  onData() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
};

test('what waits to be accepted is served when the listener stops', () => {
  let accepted = 0;
  const listener = listenFd('127.0.0.1', 0, {
    accept() {
      accepted++;
      return deaf;
    },
    released() {},
  });
  // Another process connects while this one does nothing else.
  const script = `for n in 1 2 3; do exec {fd}<>/dev/tcp/127.0.0.1/${listener.port}; done`;
  expect(Bun.spawnSync(['bash', '-c', script]).exitCode).toBe(0);
  expect(accepted).toBe(0);
  listener.stop();
  expect(accepted).toBe(3);
});

test('when new connections take long to serve, fewer are fetched at a time, so that the open ones have their turn', async () => {
  // Rounds of events: how many connections were accepted in each. Every one of them keeps us for a while.
  const rounds: number[] = [];
  const seen = { accepted: 0 };
  const listener = listenFd('127.0.0.1', 0, {
    accept() {
      seen.accepted++;
      const untilMs = performance.now() + 2;
      while (performance.now() < untilMs);
      return deaf;
    },
    released() {},
  });
  const script = `for n in $(seq 300); do exec {fd}<>/dev/tcp/127.0.0.1/${listener.port}; done; sleep 10`;
  const clients = Bun.spawn(['bash', '-c', script]);
  // They all wait before the first is accepted.
  const untilMs = performance.now() + 1000;
  while (performance.now() < untilMs);
  while (seen.accepted < 300) {
    const before = seen.accepted;
    await new Promise((done) => setImmediate(done));
    if (seen.accepted > before) rounds.push(seen.accepted - before);
  }
  listener.stop();
  clients.kill();
  // Sixty-four at a time would be five rounds.
  expect(rounds.length).toBeGreaterThan(12);
}, 30_000);
