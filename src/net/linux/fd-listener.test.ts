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
