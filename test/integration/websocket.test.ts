import { describe, expect, test } from 'bun:test';

import { WebSocket, WebSocketServer } from 'ws';

import { startPointsman } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve());
    socket.on('error', reject);
  });
}

function nextMessage(socket: WebSocket): Promise<Buffer> {
  return new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(Buffer.from(data))));
}

describe('WebSocket with the ws library on both sides', () => {
  async function withServer(run: (url: string) => Promise<void>): Promise<void> {
    const [port = 0] = await freePorts(1);
    const server = new WebSocketServer({ port, host: '127.0.0.1' });
    server.on('connection', (socket) => {
      socket.on('message', (data: Buffer, binary: boolean) => socket.send(binary ? data : data.toString()));
    });
    await using pointsman = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [`127.0.0.1:${port}`] }],
    });
    const { host, port: listening } = pointsman.address();
    await run(`ws://${host}:${listening}/socket`);
    for (const client of server.clients) client.terminate();
    server.close();
  }

  test('messages of every size come back', () =>
    withServer(async (url) => {
      const socket = new WebSocket(url);
      await opened(socket);
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
        const sent = Buffer.alloc(size, size % 251);
        const back = nextMessage(socket);
        socket.send(sent);
        expect((await back).equals(sent)).toBe(true);
      }
      socket.close();
    }));

  test('fifty sockets at once keep apart', () =>
    withServer(async (url) => {
      const sockets = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const socket = new WebSocket(url);
          await opened(socket);
          return socket;
        }),
      );
      const backs = await Promise.all(
        sockets.map((socket, index) => {
          const back = nextMessage(socket);
          socket.send(`socket ${index}`);
          return back;
        }),
      );
      expect(backs.map(String)).toEqual(sockets.map((_, index) => `socket ${index}`));
      for (const socket of sockets) socket.close();
    }));

  test('a close passes with its code', () =>
    withServer(async (url) => {
      const socket = new WebSocket(url);
      await opened(socket);
      const closed = new Promise<number>((resolve) => socket.on('close', (code: number) => resolve(code)));
      socket.close(4321, 'enough');
      expect(await closed).toBe(4321);
    }));
});
