import { describe, expect, test } from 'bun:test';

import { DescriptorReceiver, DescriptorSender } from './descriptor-channel.ts';
import { HeldSockets } from './held-sockets.ts';
import type { SocketType } from './inherited-socket.ts';
import { acceptFrom } from './listen.ts';
import { usesDescriptors } from './sockets.ts';

/** Connects, and resolves when the other side has closed the connection. */
async function untilClosed(port: number): Promise<void> {
  const closed = Promise.withResolvers<void>();
  await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: { data: () => {}, close: () => closed.resolve() },
  });
  await closed.promise;
}

describe.skipIf(!usesDescriptors)('held sockets', () => {
  test.each<SocketType>(['tcp', 'udp'])('%s: all have one port, and nobody else gets it', async (type) => {
    const held = await HeldSockets.open(type, '127.0.0.1', 0, 3);
    expect(held.port).toBeGreaterThan(0);
    expect(new Set(held.descriptors).size).toBe(3);
    // One who would share it as well is refused, too.
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const second = HeldSockets.open(type, host, held.port, 2);
      expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await second.catch(() => {});
    }
    held.close();
    const again = await HeldSockets.open(type, '127.0.0.1', held.port, 1);
    again.close();
  });

  test('handed over, each takes its share; who connects while nobody accepts waits', async () => {
    const held = await HeldSockets.open('tcp', '127.0.0.1', 0, 2);
    const sender = new DescriptorSender();
    const receiver = new DescriptorReceiver(sender.remote);
    sender.send(held.descriptors.map((fd, index) => ({ id: 7 + index, fd })));
    held.close();
    const clients = Array.from({ length: 64 }, () => untilClosed(held.port));
    const accepted = [0, 0];
    const listeners = [8, 7].map((id, index) =>
      acceptFrom(receiver.take(id), held.port, {
        accept: () => {
          accepted[index]!++;
          return undefined;
        },
        released: () => {},
      }),
    );
    // They are reset, some before they are told that they are connected.
    await Promise.allSettled(clients);
    expect(Math.min(...accepted)).toBeGreaterThan(5);
    for (const listener of listeners) listener.stop();
    expect(() => receiver.take(7)).toThrow('no descriptor 7 was handed over');
    expect(untilClosed(held.port)).rejects.toThrow('Failed to connect');
    await untilClosed(held.port).catch(() => {});
  });

  test('more descriptors than fit into a message, and those that nobody takes are closed', async () => {
    const held = await HeldSockets.open('tcp', '127.0.0.1', 0, 1);
    const sender = new DescriptorSender();
    const receiver = new DescriptorReceiver(sender.remote);
    const [fd = -1] = held.descriptors;
    sender.send(Array.from({ length: 150 }, (_, id) => ({ id, fd })));
    held.close();
    receiver.discard(() => true);
    // With the last of them the address is free.
    const again = await HeldSockets.open('tcp', '127.0.0.1', held.port, 1);
    again.close();
  });
});
