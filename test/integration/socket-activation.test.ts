import { expect, test } from 'bun:test';

import { bindStream, startListening } from '../../src/net/linux/bind-socket.ts';
import { openBoundFd } from '../../src/net/linux/fd-datagram-listener.ts';
import { sys } from '../../src/net/linux/libc.ts';
import { get } from '../support/front.ts';
import { startPointsman, type TestConfig } from '../support/pointsman.ts';
import { ask, dial } from '../support/wire.ts';

/** Sockets as systemd opens them, in the order of their descriptors. */
class Opened implements Disposable {
  readonly descriptors: number[] = [];

  tcp(): number {
    const { fd, port } = bindStream('127.0.0.1', 0, 'alone');
    startListening(fd);
    this.descriptors.push(fd);
    return port;
  }

  udp(): void {
    this.descriptors.push(openBoundFd('127.0.0.1', 0, false));
  }

  [Symbol.dispose](): void {
    for (const fd of this.descriptors) sys.close(fd);
  }
}

function configOf(port: number, more: Partial<TestConfig> = {}): TestConfig {
  const listener = { name: 'web', address: `127.0.0.1:${port}` };
  return { workers: 2, listeners: [{ ...listener, routes: [{ reply: { status: 200 } }] }], ...more };
}

test('sockets of systemd are taken by their address, for all workers; who came before is served', async () => {
  using opened = new Opened();
  const port = opened.tcp();
  const before = await dial({ host: '127.0.0.1', port });
  before.send(get('/early'));
  await using pointsman = await startPointsman(configOf(port), { activated: opened.descriptors });
  expect((await before.answer()).status).toBe(200);
  for (let count = 0; count < 20; count++)
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  expect(pointsman.lines('socket-unused')).toEqual([]);
  // Nobody is refused while it is away: systemd has the socket, too.
  await pointsman.stop();
  const between = await dial({ host: '127.0.0.1', port });
  between.send(get('/between'));
  await using next = await startPointsman(configOf(port), { activated: opened.descriptors });
  expect((await between.answer()).status).toBe(200);
  expect(next.running).toBe(true);
});

test('one that no listener has is named, and so is what is no socket', async () => {
  using opened = new Opened();
  const port = opened.tcp();
  const other = opened.tcp();
  opened.udp();
  opened.descriptors.push(2);
  const activated = opened.descriptors.slice();
  opened.descriptors.pop();
  await using pointsman = await startPointsman(configOf(port), { activated });
  expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  await pointsman.line('socket-unused', 2);
  const unused = pointsman.lines('socket-unused').join('\n');
  expect(unused).toContain('descriptor=6');
  expect(unused).toContain(`address=127.0.0.1:${other}`);
  expect(pointsman.lines('socket-unused')).toHaveLength(3);
});

test('variables that are meant for another process are passed over', async () => {
  const env = { LISTEN_PID: '1', LISTEN_FDS: '3' };
  await using pointsman = await startPointsman(configOf(0), { env });
  expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  expect(pointsman.lines('socket-unused')).toEqual([]);
});
