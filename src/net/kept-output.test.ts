import { afterEach, expect, test } from 'bun:test';

import { MemoryNetwork } from '../../test/support/memory-connection.ts';
import { keepOutput, readLimitBytes } from './kept-output.ts';
import { listenFd } from './linux/fd-listener.ts';
import { runTurn } from './turn.ts';
import { unserved } from './unserved.ts';

const MIB = 1024 * 1024;

let kept = 0;
function keep(bytes: number): void {
  kept += bytes;
  keepOutput(bytes);
}
afterEach(() => keep(-kept));

test('pieces are smaller the more is kept, and large again when it was taken', () => {
  const limits: number[] = [];
  for (const bytes of [31 * MIB, MIB, 63 * MIB, MIB, 1000 * MIB, -1000 * MIB, -2 * MIB, -63 * MIB]) {
    keep(bytes);
    limits.push(readLimitBytes);
  }
  const all = Number.POSITIVE_INFINITY;
  expect(limits).toEqual([all, 65_536, 65_536, 16_384, 16_384, 16_384, 65_536, all]);
});

test('counts what connections keep, until it is taken or they end', () => {
  const network = new MemoryNetwork();
  const peers = Array.from({ length: 3 }, () => network.peer().hold());
  const piece = Buffer.alloc(20 * MIB);
  for (const { connection } of peers) runTurn(() => connection.write(piece, 0, piece.length));
  expect(readLimitBytes).toBe(65_536);
  peers[0]!.take();
  expect(readLimitBytes).toBe(65_536);
  peers[1]!.reset();
  expect(readLimitBytes).toBe(Number.POSITIVE_INFINITY);
  runTurn(() => peers[2]!.connection.close());
  // Nothing of it is left.
  keep(31 * MIB);
  expect(readLimitBytes).toBe(Number.POSITIVE_INFINITY);
  keep(MIB);
  expect(readLimitBytes).toBe(65_536);
});

test('what is read from a socket comes in pieces of that size', async () => {
  const pieces: number[] = [];
  const listener = listenFd('127.0.0.1', 0, {
    accept: () => ({ ...unserved, onData: ({ length }) => pieces.push(length) }),
    released() {},
  });
  keep(96 * MIB);
  const client = await Bun.connect({ hostname: '127.0.0.1', port: listener.port, socket: { data() {} } });
  const bytes = Buffer.alloc(512 * 1024);
  let sent = 0;
  const sum = (): number => pieces.reduce((total, length) => total + length, 0);
  for (let rounds = 0; rounds < 5000 && sum() < bytes.length; rounds++) {
    if (sent < bytes.length) sent += client.write(bytes.subarray(sent));
    await Bun.sleep(1);
  }
  expect(sum()).toBe(bytes.length);
  expect(Math.max(...pieces)).toBe(16_384);
  client.end();
  listener.stop();
});
