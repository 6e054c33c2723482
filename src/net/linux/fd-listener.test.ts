import { expect, test } from 'bun:test';

import type { ConnectionHandler } from '../connection.ts';
import { turnNowMs } from '../turn.ts';
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
  // When each go began: the time of a turn is the same throughout.
  const goes = new Set<number>();
  const seen = { accepted: 0 };
  const listener = listenFd('127.0.0.1', 0, {
    accept() {
      seen.accepted++;
      goes.add(turnNowMs());
      const untilMs = performance.now() + 4;
      while (performance.now() < untilMs);
      return deaf;
    },
    released() {},
  });
  const script = `for n in $(seq 200); do exec {fd}<>/dev/tcp/127.0.0.1/${listener.port}; done; sleep 10`;
  const clients = Bun.spawn(['bash', '-c', script]);
  // They all wait before the first is accepted.
  const untilMs = performance.now() + 1000;
  while (performance.now() < untilMs);
  while (seen.accepted < 200) await Bun.sleep(1);
  listener.stop();
  clients.kill();
  // Sixty-four at a time would be four.
  expect(goes.size).toBeGreaterThan(20);
}, 30_000);
