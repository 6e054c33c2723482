import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AF, errno, fixed, MSG, SOCK, sys, systemError } from '../../src/net/linux/libc.ts';
import { startPointsman, type TestConfig } from '../support/pointsman.ts';

const LISTENER = { name: 'web', address: '127.0.0.1:0', protocol: 'http' as const };
const CONFIG: TestConfig = {
  workers: 2,
  listeners: [{ ...LISTENER, routes: [{ reply: { status: 200, body: 'hello' } }] }],
};

/** Takes the messages of sd_notify as systemd does. */
class Manager implements AsyncDisposable {
  readonly path: string;
  /** Everything that was said, in order. */
  readonly told: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'pointsman-notify-'));
  readonly #fd: number;
  readonly #buffer = fixed(4096);

  constructor(abstract: boolean) {
    this.path = abstract
      ? `@pointsman-test-${process.pid}-${performance.now()}`
      : join(this.#folder, 'notify');
    this.#fd = sys.socket(AF.UNIX, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
    const address = fixed(128).fill(0);
    address.writeUInt16LE(AF.UNIX, 0);
    address.write(abstract ? `\0${this.path.slice(1)}` : this.path, 2);
    const length = 2 + this.path.length + (abstract ? 0 : 1);
    if (sys.bind(this.#fd, address, length) < 0) throw systemError('bind', errno());
  }

  /** Waits until what was told is enough. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`not told: ${this.told.join('\n')}`);
      const length = sys.recv(this.#fd, this.#buffer, this.#buffer.length, MSG.DONTWAIT);
      if (length > 0) this.told.push(this.#buffer.toString('latin1', 0, length));
      else await Bun.sleep(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    sys.close(this.#fd);
    rmSync(this.#folder, { recursive: true, force: true });
    await Promise.resolve();
  }
}

test.each([false, true])('a service manager is told (abstract name: %p)', async (abstract) => {
  await using manager = new Manager(abstract);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '200000' };
  await using pointsman = await startPointsman(CONFIG, { env });
  await manager.until(() => manager.told.length > 2);
  expect(manager.told[0]).toBe('READY=1\nSTATUS=revision 1, 2 workers');
  expect(manager.told.slice(1).every((line) => line === 'WATCHDOG=1')).toBe(true);
  await pointsman.reload({ ...CONFIG, listeners: [{ ...LISTENER, routes: [{ reply: { status: 204 } }] }] });
  await manager.until(() => manager.told.some((line) => line.includes('STATUS=revision 2')));
  const said = manager.told.filter((line) => line !== 'WATCHDOG=1');
  expect(said[1]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d{6,}$/);
  expect(said[2]).toBe('READY=1\nSTATUS=revision 2');
  await pointsman.stop();
  await manager.until(() => manager.told.some((line) => line.startsWith('STOPPING=1')));
});

test('one that is busy for a while is told later what matters', async () => {
  await using manager = new Manager(false);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '20000' };
  await using pointsman = await startPointsman(CONFIG, { env });
  // Ten messages is all that waits: these are signs of life.
  await Bun.sleep(500);
  await pointsman.reload({ ...CONFIG, listeners: [{ ...LISTENER, routes: [{ reply: { status: 204 } }] }] });
  await manager.until(() => manager.told.some((line) => line.includes('STATUS=revision 2')));
  const said = manager.told.filter((line) => line !== 'WATCHDOG=1').map((line) => line.split('\n')[0]);
  expect(said).toEqual(['READY=1', 'RELOADING=1', 'READY=1']);
});

test('one that is not there is no reason not to run', async () => {
  await using pointsman = await startPointsman(CONFIG, { env: { NOTIFY_SOCKET: '/nowhere/notify' } });
  expect(await pointsman.line('service-manager-unreachable')).toContain('ENOENT');
  expect((await fetch(`http://127.0.0.1:${pointsman.address().port}/`)).status).toBe(200);
});

test('after an upgrade it is told who is the main process now, which then speaks for itself', async () => {
  await using manager = new Manager(false);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '200000' };
  await using pointsman = await startPointsman(CONFIG, { env });
  await manager.until(() => manager.told.length > 0);
  const response = await fetch(`${pointsman.admin}/api/v1/upgrade`, { method: 'POST' });
  const { pid } = (await response.json()) as { pid: number };
  try {
    await manager.until(() => manager.told.some((line) => line.includes('revision 2')));
    await manager.until(() => manager.told.some((line) => line.startsWith('MAINPID=')));
    await pointsman.exited();
    const count = manager.told.length;
    await manager.until(() => manager.told.length > count + 2);
    const [first, ...others] = manager.told.filter((line) => line !== 'WATCHDOG=1');
    expect(first).toBe('READY=1\nSTATUS=revision 1, 2 workers');
    // Of two senders; neither waits for the other.
    expect(others.sort()).toEqual([`MAINPID=${pid}`, 'READY=1\nSTATUS=revision 2, 2 workers']);
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});

test('one that is busy during an upgrade hears of the new main process before the old one ends', async () => {
  await using manager = new Manager(false);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '20000' };
  await using pointsman = await startPointsman(CONFIG, { env });
  const response = await fetch(`${pointsman.admin}/api/v1/upgrade`, { method: 'POST' });
  const { pid } = (await response.json()) as { pid: number };
  try {
    // Signs of life have filled the queue long before.
    await pointsman.line('stopped');
    await manager.until(() => manager.told.some((line) => line === `MAINPID=${pid}`));
    expect(await pointsman.exited()).toBe(0);
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});
