import { afterEach, describe, expect, test } from 'bun:test';
import net from 'node:net';

import type { FailureCode } from '../model/failures.ts';
import type { CloseCause, Connection, ConnectionHandler } from './connection.ts';
import { onDefect } from './defects.ts';
import { type Attempt, dial } from './dial.ts';
import { dialFd } from './linux/fd-dial.ts';
import { listenFd } from './linux/fd-listener.ts';
import { available } from './linux/libc.ts';
import type { Acceptor, ListeningSocket } from './listen.ts';
import { dialRuntime } from './runtime/runtime-dial.ts';
import { listenRuntime } from './runtime/runtime-listener.ts';
import { TimerWheel } from './timer-wheel.ts';
import { runTurn } from './turn.ts';

interface Kind {
  readonly name: string;
  listen(ip: string, port: number, acceptor: Acceptor): ListeningSocket;
  dial(ip: string, port: number, attempt: Attempt): () => void;
}

const KINDS: readonly Kind[] = [
  ...(available ? [{ name: 'descriptors', listen: listenFd, dial: dialFd }] : []),
  { name: 'sockets of the runtime', listen: listenRuntime, dial: dialRuntime },
];

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** Waits until `holds` does; fails after ten seconds. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ten seconds: ${what}`);
    await Bun.sleep(1);
  }
}

/** Serves one end and notes what it hears. */
class End implements ConnectionHandler {
  connection: Connection;
  readonly events: string[] = [];
  readonly pieces: Buffer[] = [];
  receivedBytes = 0;
  released = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    cleanUps.push(() => connection.reset());
  }

  get text(): string {
    return Buffer.concat(this.pieces).latin1Slice();
  }

  write(text: string): void {
    runTurn(() => this.connection.write(Buffer.from(text, 'latin1'), 0, text.length));
  }

  onData(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.pieces.push(Buffer.from(bytes));
  }
  onEnd(): void {
    this.events.push('end');
  }
  onCongested(): void {
    this.events.push('congested');
  }
  onDrain(): void {
    this.events.push('drain');
  }
  onClose(cause: CloseCause): void {
    this.events.push(`close ${cause}`);
  }
}

/** A listener and connections to it. */
function listening(kind: Kind, accepts: (connection: Connection) => boolean = () => true) {
  const accepted: End[] = [];
  const socket = kind.listen('127.0.0.1', 0, {
    accept(connection) {
      if (!accepts(connection)) return undefined;
      const end = new End(connection);
      accepted.push(end);
      return end;
    },
    released(handler) {
      (handler as End).released++;
    },
  });
  cleanUps.push(() => socket.stop());
  return { port: socket.port, socket, accepted };
}

async function pair(kind: Kind): Promise<{ dialled: End; accepted: End }> {
  const server = listening(kind);
  const dialled: End[] = [];
  kind.dial('127.0.0.1', server.port, {
    onConnected(connection) {
      const end = new End(connection);
      connection.handler = end;
      dialled.push(end);
    },
    onFailed(error) {
      throw error;
    },
  });
  await until('connected', () => dialled.length === 1 && server.accepted.length === 1);
  return { dialled: dialled[0]!, accepted: server.accepted[0]! };
}

/** A plain client, to see what arrives beside our own sockets. */
async function plain(port: number): Promise<{ socket: net.Socket; seen: string[]; text: () => string }> {
  const seen: string[] = [];
  let text = '';
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  cleanUps.push(() => socket.destroy());
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  socket.on('end', () => seen.push('end'));
  socket.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? 'error'));
  await new Promise((resolve) => {
    socket.once('connect', resolve);
    socket.once('error', resolve);
  });
  return { socket, seen, text: () => text };
}

for (const kind of KINDS) {
  describe(kind.name, () => {
    test('bytes go both ways, addresses are known', async () => {
      const { dialled, accepted } = await pair(kind);
      dialled.write('ping');
      await until('ping', () => accepted.text === 'ping');
      accepted.write('pong');
      await until('pong', () => dialled.text === 'pong');
      expect(accepted.connection.remoteAddress).toBe('127.0.0.1');
      expect(accepted.connection.remotePort).toBeGreaterThan(0);
      expect(dialled.connection.remoteAddress).toBe('127.0.0.1');
    });

    test('megabytes to a slow reader: congested once, kept in order, drained once', async () => {
      const { dialled, accepted } = await pair(kind);
      dialled.connection.pause();
      const total = 24 * 1024 * 1024;
      const bytes = Buffer.from(Array.from({ length: 65_521 }, (_, index) => index % 251));
      let sent = 0;
      runTurn(() => {
        while (sent < total) {
          accepted.connection.write(bytes, 0, bytes.length);
          sent += bytes.length;
        }
      });
      expect(accepted.events).toEqual(['congested']);
      expect(accepted.connection.bufferedBytes).toBeGreaterThan(0);
      await Bun.sleep(20);
      expect(dialled.receivedBytes).toBe(0);
      dialled.connection.resume();
      await until('everything', () => dialled.receivedBytes === sent);
      await until('drained', () => accepted.events.length === 2);
      expect(accepted.events).toEqual(['congested', 'drain']);
      expect(accepted.connection.bufferedBytes).toBe(0);
      const all = Buffer.concat(dialled.pieces);
      let wrong = 0;
      for (let at = 0; at < all.length; at++) if (all[at] !== (at % 65_521) % 251) wrong++;
      expect(wrong).toBe(0);
    });

    test('shutdown sends what waits, then FIN; the other direction goes on', async () => {
      const { dialled, accepted } = await pair(kind);
      dialled.connection.pause();
      const size = 8 * 1024 * 1024;
      runTurn(() => {
        accepted.connection.write(Buffer.alloc(size, 'x'), 0, size);
        accepted.connection.shutdown();
      });
      dialled.write('still here');
      await until('the other direction', () => accepted.text === 'still here');
      expect(dialled.events).toEqual([]);
      dialled.connection.resume();
      await until('FIN', () => dialled.events.includes('end'));
      expect(dialled.receivedBytes).toBe(size);
      dialled.write(', and still');
      await until('half open', () => accepted.text === 'still here, and still');
    });

    test('what was written last arrives also when the peer has sent something that nobody read', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      const end = server.accepted[0]!;
      end.connection.pause();
      client.socket.write('CRLF too many');
      await Bun.sleep(20);
      runTurn(() => {
        end.connection.open(16).text('last words');
        expect(end.connection.finish()).toBe(true);
      });
      await until('last words', () => client.text() === 'last words');
    });

    test('close sends what was collected in this turn', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      const end = server.accepted[0]!;
      runTurn(() => {
        end.connection.open(16).text('last words');
        end.connection.close();
      });
      await until('the end', () => client.seen.includes('end'));
      expect([client.text(), client.seen]).toEqual(['last words', ['end']]);
      await until('released', () => end.released === 1);
      expect(end.events).toEqual([]);
    });

    test('reset is a RST, and what was collected is not sent', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      const end = server.accepted[0]!;
      runTurn(() => {
        end.connection.open(16).text('not said');
        end.connection.reset();
      });
      await until('the reset', () => client.seen.length > 0);
      expect([client.text(), client.seen]).toEqual(['', ['ECONNRESET']]);
      await until('released', () => end.released === 1);
    });

    test('a reset by the peer is told, also while reading is paused', async () => {
      for (const paused of [false, true]) {
        const server = listening(kind);
        const client = await plain(server.port);
        await until('accepted', () => server.accepted.length === 1);
        const end = server.accepted[0]!;
        if (paused) end.connection.pause();
        client.socket.resetAndDestroy();
        await until(`the reset, paused ${paused}`, () => end.events.length > 0);
        expect(end.events).toEqual(['close reset']);
        await until('released', () => end.released === 1);
      }
    });

    test('FIN of the peer is told once, behind its bytes', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      const end = server.accepted[0]!;
      client.socket.end('good bye');
      await until('FIN', () => end.events.length > 0);
      expect([end.text, end.events, end.connection.readEnded]).toEqual(['good bye', ['end'], true]);
      end.write('you too');
      await until('the answer', () => client.text() === 'you too');
    });

    test('FIN behind bytes that are not read yet waits for them', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      const end = server.accepted[0]!;
      end.connection.pause();
      const size = 1_000_000;
      client.socket.end(Buffer.alloc(size, 'y'));
      await Bun.sleep(20);
      expect(end.events).toEqual([]);
      end.connection.resume();
      await until('FIN', () => end.events.includes('end'));
      expect(end.receivedBytes).toBe(size);
    });

    test('a connection that is not wanted is closed; the listener lives on', async () => {
      let wanted = false;
      const server = listening(kind, () => wanted);
      const refused = await plain(server.port);
      await until('closed', () => refused.seen.length > 0);
      wanted = true;
      await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
    });

    test('a defect in who accepts closes that connection, and the listener lives on', async () => {
      const defects: unknown[] = [];
      onDefect((error) => defects.push(error));
      let broken = true;
      const server = listening(kind, () => {
        if (broken) throw new Error('broken');
        return true;
      });
      const refused = await plain(server.port);
      await until('closed', () => refused.seen.length > 0);
      broken = false;
      await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      onDefect((error) => {
        throw error;
      });
      expect(String(defects)).toBe('Error: broken');
    });

    test('after stop nobody is accepted, and those there are live on', async () => {
      const server = listening(kind);
      const client = await plain(server.port);
      await until('accepted', () => server.accepted.length === 1);
      server.socket.stop();
      server.socket.stop();
      await Bun.sleep(5);
      const code = await new Promise((resolve) => {
        const late = net.connect(server.port, '127.0.0.1');
        late.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        late.on('connect', () => resolve('connected'));
      });
      expect(code).toBe('ECONNREFUSED');
      client.socket.write('hello');
      await until('hello', () => server.accepted[0]!.text === 'hello');
    });

    test('a port that is taken is an error with its code', () => {
      const { port } = listening(kind);
      let code: unknown;
      try {
        kind.listen('127.0.0.1', port, { accept: () => undefined, released() {} });
      } catch (error) {
        code = (error as NodeJS.ErrnoException).code;
      }
      expect(code).toBe('EADDRINUSE');
    });
  });
}

describe('dial', () => {
  const wheel = new TimerWheel();
  const free = async (): Promise<number> => {
    const server = net.createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => {
      server.close(resolve);
    });
    return port;
  };

  function outcome(host: string, port: number): Promise<{ code: FailureCode; before: boolean }> {
    let returned = false;
    const result = new Promise<{ code: FailureCode; before: boolean }>((resolve, reject) => {
      dial(wheel, host, port, 1000, {
        onConnected() {
          reject(new Error('connected'));
          throw new Error('connected');
        },
        onDialFailed: (code) => resolve({ code, before: !returned }),
      });
    });
    returned = true;
    return result;
  }

  test('tells a refusal apart from a name that there is not, never before it returns', async () => {
    expect(await outcome('127.0.0.1', await free())).toEqual({ code: 'connect_refused', before: false });
    expect(await outcome('[', 80)).toEqual({ code: 'dns_failed', before: false });
  });

  test('tells nothing once it is given up', async () => {
    const server = listening(KINDS[0]!);
    const told: string[] = [];
    const giveUp = dial(wheel, '127.0.0.1', server.port, 1000, {
      onConnected(connection) {
        told.push('connected');
        return new End(connection);
      },
      onDialFailed: (code) => told.push(code),
    });
    giveUp();
    giveUp();
    await Bun.sleep(30);
    expect(told).toEqual([]);
  });

  test('of a name tries its addresses', async () => {
    const server = listening(KINDS[0]!);
    let connected = 0;
    dial(wheel, 'localhost', server.port, 1000, {
      onConnected(connection) {
        connected++;
        return new End(connection);
      },
      onDialFailed(code) {
        throw new Error(code);
      },
    });
    await until('connected', () => connected === 1 && server.accepted.length === 1);
  });
});
