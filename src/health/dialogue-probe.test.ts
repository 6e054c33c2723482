import { afterEach, describe, expect, test } from 'bun:test';

import { probeDeps } from '../../test/support/probe-deps.ts';
import { healthCheck } from '../config/schema/pool.ts';
import { probeOf } from './probe-of.ts';
import type { ProbeResult } from './probe.ts';

const deps = probeDeps();
const TIMEOUT_MS = 300;
const GENEROUS_MS = 10_000;

interface Talk {
  received: string;
}

/** A peer that does what it is told when it is connected to, and with what it receives. */
interface Script {
  open?(socket: Bun.Socket<Talk>): void;
  data?(socket: Bun.Socket<Talk>, received: string): void;
}

interface Peer {
  readonly port: number;
  /** What the last connection received. */
  readonly talk: Talk;
  readonly closed: Promise<void>;
}

const listeners: Bun.TCPSocketListener<Talk>[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop(true);
});

function peer(script: Script): Peer {
  const talk: Talk = { received: '' };
  const closed = Promise.withResolvers<undefined>();
  const listener = Bun.listen<Talk>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        talk.received = '';
        script.open?.(socket);
      },
      data(socket, bytes) {
        talk.received += bytes.toString('latin1');
        script.data?.(socket, talk.received);
      },
      close: () => closed.resolve(undefined),
      error: () => {},
    },
  });
  listeners.push(listener);
  return { port: listener.port, talk, closed: closed.promise };
}

function check(
  port: number,
  config: Readonly<Record<string, unknown>>,
  timeoutMs = GENEROUS_MS,
): Promise<ProbeResult> {
  const parsed = healthCheck.parse({ ...config, timeout: `${timeoutMs}ms` });
  const probe = probeOf(deps, { host: '127.0.0.1', port }, 'http1', parsed);
  return new Promise((resolve) => {
    probe(resolve);
  });
}

describe('send and expect', () => {
  test('text, answered in pieces', async () => {
    const server = peer({
      data(socket, received) {
        if (received !== 'PING\r\n') return;
        socket.write('+P');
        setTimeout(() => socket.write('ONG\r\n'), 5);
      },
    });
    const tcp = { send: 'PING\r\n', expect: '+PONG' };
    expect(await check(server.port, { tcp })).toEqual({ passed: true, detail: 'answered as expected' });
    await server.closed;
  });

  test('bytes as hexadecimal and base64', async () => {
    const server = peer({
      data(socket, received) {
        if (received === '\x00\xff\x01') socket.write(Buffer.from([1, 0, 254, 7]));
      },
    });
    const { port } = server;
    const send = { hex: '00 FF 01' };
    expect((await check(port, { tcp: { send, expect: { prefix: { hex: '0100fe' } } } })).passed).toBe(true);
    expect((await check(port, { tcp: { send, expect: { contains: { base64: '/gc=' } } } })).passed).toBe(
      true,
    );
    expect((await check(port, { tcp: { send, expect: { regex: String.raw`^\x01\0\xfe` } } })).passed).toBe(
      true,
    );
  });

  test('several steps, the answers of which may come in one piece', async () => {
    const server = peer({
      open: (socket) => void socket.write('hello\n'),
      data(socket, received) {
        if (received === 'a\n') socket.write('one\ntwo\n');
      },
    });
    const steps = [{ expect: 'hello\n' }, { send: 'a\n', expect: 'one\n' }, { expect: { prefix: 'two' } }];
    expect((await check(server.port, { tcp: { steps } })).passed).toBe(true);
    const wrong = [{ expect: 'hello\n' }, { send: 'a\n', expect: { prefix: 'two' } }];
    expect(await check(server.port, { tcp: { steps: wrong } })).toEqual({
      passed: false,
      detail: String.raw`"one\ntwo\n" is not an answer that begins with "two"`,
    });
  });

  test('what is only sent is sent', async () => {
    const server = peer({});
    expect((await check(server.port, { tcp: { send: 'bye' } })).passed).toBe(true);
    await server.closed;
    expect(server.talk.received).toBe('bye');
  });

  test('what is received in one step is not an answer to the next', async () => {
    const server = peer({ open: (socket) => void socket.write('ok ok') });
    const steps = [{ expect: 'ok ok' }, { send: 'x', expect: 'ok' }];
    const result = await check(server.port, { tcp: { steps } }, TIMEOUT_MS);
    expect(result).toEqual({
      passed: false,
      detail: `step 2: not what was expected within ${TIMEOUT_MS} ms without an answer`,
    });
  });
});

describe('a peer that misbehaves fails the check', () => {
  const tcp = { send: 'PING\r\n', expect: '+PONG' };

  test('by sending without end', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const server = peer({ open: (socket) => void socket.write(chunk) });
    expect(await check(server.port, { tcp })).toEqual({
      passed: false,
      detail: 'answer: not what was expected within 16384 bytes',
    });
    await server.closed;
  });

  test('by sending bytes one by one for ever', async () => {
    let timer: Timer | undefined;
    const server = peer({
      open(socket) {
        timer = setInterval(() => socket.write('x'), 2);
      },
    });
    const result = await check(server.port, { tcp }, TIMEOUT_MS);
    clearInterval(timer);
    expect(result.detail).toMatch(/^answer: not what was expected within 300 ms after "x+/);
    await server.closed;
  });

  test('by half an answer', async () => {
    const server = peer({ data: (socket) => void socket.write('+PO') });
    expect((await check(server.port, { tcp }, TIMEOUT_MS)).detail).toBe(
      'answer: not what was expected within 300 ms after "+PO"',
    );
  });

  test('by silence', async () => {
    const server = peer({});
    expect((await check(server.port, { tcp }, TIMEOUT_MS)).detail).toBe(
      'answer: not what was expected within 300 ms without an answer',
    );
    await server.closed;
  });

  test('by closing', async () => {
    const server = peer({ data: (socket) => socket.end('+P') });
    expect((await check(server.port, { tcp })).detail).toBe(
      'answer: the endpoint closed the connection after "+P"',
    );
  });

  test('by resetting', async () => {
    const server = peer({ data: (socket) => socket.terminate() });
    expect((await check(server.port, { tcp })).detail).toBe(
      'answer: the endpoint reset the connection without an answer',
    );
  });

  test('by bytes that no terminal should see', async () => {
    const server = peer({ open: (socket) => void socket.write('\x1b[2J\x07\xff') });
    const result = await check(server.port, { tcp: { expect: { prefix: 'x' } } });
    expect(result.detail.startsWith('"\\u001b[2J\\u0007\\xc3\\xbf" is not')).toBe(true);
  });
});

describe('Redis', () => {
  const answering = (answers: Readonly<Record<string, string>>): Peer =>
    peer({
      data(socket, received) {
        const last = /\r\n([A-Z]+)\r\n(?:\$\d+\r\n[^\r]*\r\n)*$/.exec(received)?.[1] ?? '';
        socket.write(answers[last] ?? '-ERR\r\n');
      },
    });

  test.each([
    ['+PONG\r\n', true, 'PING answered PONG'],
    [
      '-LOADING Redis is loading the dataset in memory\r\n',
      false,
      'PING answered "-LOADING Redis is loading the dataset in memory"',
    ],
    ['-NOAUTH Authentication required.\r\n', false, 'PING answered "-NOAUTH Authentication required."'],
    ['+PONGO\r\n', false, 'PING answered "+PONGO"'],
    ['HTTP/1.1 400 Bad Request\r\n', false, 'PING answered "HTTP/1.1 400 Bad Request"'],
  ])('%p', async (answer, passed, detail) => {
    const server = answering({ PING: answer });
    expect(await check(server.port, { redis: {} })).toEqual({ passed, detail });
  });

  test('says who it is before it asks', async () => {
    const server = answering({ AUTH: '+OK\r\n', PING: '+PONG\r\n' });
    expect((await check(server.port, { redis: { username: 'u', password: 'p w' } })).passed).toBe(true);
    expect(server.talk.received).toBe('*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$3\r\np w\r\n*1\r\n$4\r\nPING\r\n');
  });

  const master = '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n';
  const slave = (link: string): string =>
    `*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n$${link.length}\r\n${link}\r\n:1\r\n`;

  test.each([
    ['primary', master, true],
    ['primary', slave('connected'), false],
    ['replica', master, false],
    ['replica', slave('connected'), true],
    ['replica', slave('connect'), false],
  ])('a %s that says %p: %p', async (role, answer, passed) => {
    const server = answering({ PING: '+PONG\r\n', ROLE: answer });
    expect((await check(server.port, { redis: { role } })).passed).toBe(passed);
  });
});

/** A message of PostgreSQL: its letter, its length, what is in it. */
function message(letter: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

const errorOf = (state: string): Buffer => message('E', `SFATAL\0VFATAL\0C${state}\0Mwords\0\0`);

describe('PostgreSQL', () => {
  test.each([
    ['a session', message('R', Buffer.alloc(4)), true],
    ['a password', message('R', Buffer.from([0, 0, 0, 10, 0])), true],
    ['a role that is not there', errorOf('28000'), true],
    ['a database that is not there', errorOf('3D000'), true],
    ['starting up', errorOf('57P03'), false],
    ['too many clients', errorOf('53300'), false],
    ['an error without a code', message('E', 'Mwords\0\0'), false],
    [
      'another version first',
      Buffer.concat([message('v', Buffer.alloc(8)), message('R', Buffer.alloc(4))]),
      true,
    ],
    ['something else', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), false],
  ])('%s', async (_what, answer, passed) => {
    const server = peer({ data: (socket) => void socket.write(answer) });
    const result = await check(server.port, { postgres: { user: 'me', database: 'db' } });
    expect(result.passed).toBe(passed);
    await server.closed;
    expect(server.talk.received).toContain('user\0me\0database\0db\0');
  });

  test('an answer that says it is longer than anything', async () => {
    const server = peer({
      open: (socket) =>
        void socket.write(Buffer.concat([Buffer.from('E\xff\xff\xff\xff', 'latin1'), Buffer.alloc(40_000)])),
    });
    expect((await check(server.port, { postgres: {} })).passed).toBe(false);
  });

  test.each([
    ['S', true],
    ['N', true],
    ['E', false],
  ])('asked for TLS only, %p', async (answer, passed) => {
    const server = peer({ data: (socket) => void socket.write(answer) });
    expect((await check(server.port, { postgres: { startup: false } })).passed).toBe(passed);
  });
});

/** A packet of MySQL. */
function mysqlPacket(number: number, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body as string, 'latin1');
  return Buffer.concat([Buffer.from([bytes.length, 0, 0, number]), bytes]);
}

describe('MySQL', () => {
  const greeting = mysqlPacket(0, '\x0a8.0.36\0\x01\0\0\0abcdefgh\0');
  const error = (number: number, words: string): string =>
    `\xff${String.fromCharCode(number & 0xff, number >> 8)}#HY000${words}`;

  test.each([
    ['lets it in', [mysqlPacket(2, '\0\0\0\x02\0\0\0')], true, 'takes sessions'],
    [
      'does not know the user',
      [mysqlPacket(2, error(1045, 'Access denied'))],
      true,
      'takes sessions (refused this one: 1045 Access denied)',
    ],
    [
      'wants another way to log in',
      [mysqlPacket(2, '\xfecaching_sha2_password\0abc\0'), mysqlPacket(4, error(1045, 'Access denied'))],
      true,
      'takes sessions (refused this one: 1045 Access denied)',
    ],
    [
      'is shutting down',
      [mysqlPacket(2, error(1053, 'Server shutdown'))],
      false,
      'refused a session: 1053 Server shutdown',
    ],
  ])('that %s', async (_what, answers, passed, detail) => {
    const left = [...answers];
    const server = peer({
      open: (socket) => void socket.write(greeting),
      data: (socket) => void socket.write(left.shift() ?? ''),
    });
    expect(await check(server.port, { mysql: { user: 'me' } })).toEqual({ passed, detail });
    await server.closed;
    expect(server.talk.received).toContain('me\0\0mysql_native_password\0');
  });

  test.each([
    [mysqlPacket(0, `\xff\x10\x04Too many connections`), 'refused a session: 1040 Too many connections'],
    [mysqlPacket(0, `\xff\x69\x04Host is blocked`), 'refused a session: 1129 Host is blocked'],
    [Buffer.from('+PONG\r\n'), undefined],
  ])('that greets with %p fails', async (bytes, detail) => {
    const server = peer({ open: (socket) => socket.end(bytes) });
    const result = await check(server.port, { mysql: {} });
    expect(result.passed).toBe(false);
    if (detail !== undefined) expect(result.detail).toBe(detail);
  });
});

describe('SMTP', () => {
  const mail = (greeting: string, hello: string): Peer =>
    peer({
      open: (socket) => void socket.write(greeting),
      data(socket, received) {
        if (received.endsWith('QUIT\r\n')) socket.end('221 bye\r\n');
        else if (received.endsWith('\r\n')) socket.write(hello);
      },
    });

  test('is greeted, says EHLO and QUIT', async () => {
    const server = mail('220-mail\r\n220 ready\r\n', '250-mail\r\n250-SIZE 1\r\n250 HELP\r\n');
    expect(await check(server.port, { smtp: { hello: 'lb.example.com' } })).toEqual({
      passed: true,
      detail: 'greeted and took EHLO',
    });
    expect(server.talk.received).toBe('EHLO lb.example.com\r\nQUIT\r\n');
  });

  test.each([
    ['421 too busy\r\n', 'greeting answered "421 too busy"'],
    ['554 no\r\n', 'greeting answered "554 no"'],
    ['SSH-2.0\r\n', String.raw`greeting: "SSH-2.0\r\n" is not a reply of SMTP`],
  ])('%p', async (greeting, detail) => {
    const server = mail(greeting, '250 ok\r\n');
    expect(await check(server.port, { smtp: {} })).toEqual({ passed: false, detail });
  });

  test('a refused EHLO', async () => {
    const server = mail('220 ready\r\n', '550-go\r\n550 away\r\n');
    expect((await check(server.port, { smtp: {} })).detail).toBe(
      String.raw`EHLO answered "550-go\r\n550 away"`,
    );
  });
});

test('a check that is given up says nothing and leaves nothing behind', async () => {
  const asked = Promise.withResolvers<undefined>();
  const server = peer({ data: () => asked.resolve(undefined) });
  const config = healthCheck.parse({ redis: {} });
  let told = 0;
  const cancel = probeOf(deps, { host: '127.0.0.1', port: server.port }, 'http1', config)(() => told++);
  await asked.promise;
  cancel();
  cancel();
  await server.closed;
  expect(told).toBe(0);
});
