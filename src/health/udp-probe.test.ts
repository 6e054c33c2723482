import { afterEach, expect, test } from 'bun:test';

import { freePorts } from '../../test/support/free-ports.ts';
import { probeDeps } from '../../test/support/probe-deps.ts';
import { healthCheck } from '../config/schema/pool.ts';
import { probeOf } from './probe-of.ts';
import type { ProbeResult } from './probe.ts';

const deps = probeDeps();
const sockets: { close(): void }[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function answering(answer: (asked: Buffer) => readonly string[]): Promise<number> {
  const socket = await Bun.udpSocket({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(self, bytes, port, ip) {
        for (const text of answer(bytes)) self.send(text, port, ip);
      },
    },
  });
  sockets.push(socket);
  return socket.port;
}

function check(
  port: number,
  udp: Readonly<Record<string, unknown>>,
  timeoutMs = 10_000,
  host = '127.0.0.1',
): Promise<ProbeResult> {
  const config = healthCheck.parse({ udp, timeout: `${timeoutMs}ms` });
  const probe = probeOf(deps, { host, port }, 'http1', config);
  return new Promise((resolve) => {
    probe(resolve);
  });
}

test('an answer as expected', async () => {
  const port = await answering((asked) => [`echo ${asked.toString()}`]);
  expect(await check(port, { send: 'x', expect: { prefix: 'echo x' } })).toEqual({
    passed: true,
    detail: 'it answered',
  });
});

test('an empty datagram is sent and answered', async () => {
  const port = await answering((asked) => [asked.length === 0 ? 'empty' : 'not']);
  expect((await check(port, { expect: 'empty' })).passed).toBe(true);
});

test('other answers are passed over', async () => {
  const port = await answering(() => ['late', 'right']);
  expect((await check(port, { send: 'x', expect: 'right' })).passed).toBe(true);
  expect(await check(port, { send: 'x', expect: 'never' }, 200)).toEqual({
    passed: false,
    detail: 'no answer that contains "never" within 200 ms, but "right"',
  });
});

test('silence fails when an answer is expected, and only then', async () => {
  const port = await answering(() => []);
  expect(await check(port, { send: 'x', expect: 'y' }, 200)).toEqual({
    passed: false,
    detail: 'no answer within 200 ms',
  });
  expect(await check(port, { send: 'x' }, 200)).toEqual({
    passed: true,
    detail: 'not refused within 200 ms',
  });
});

test('a port where nobody listens refuses', async () => {
  const [port = 0] = await freePorts(1);
  const refused = { passed: false, detail: 'refused (ECONNREFUSED)' } as const;
  expect(await check(port, { send: 'x' })).toEqual(refused);
  expect(await check(port, { send: 'x', expect: 'y' })).toEqual(refused);
});

test('a name that nobody knows', async () => {
  const result = await check(1, { send: 'x' }, 10_000, 'nowhere.invalid');
  expect(result.passed).toBe(false);
});

test.each([
  [0, true, 'it answered NOERROR'],
  [3, true, 'it answered NXDOMAIN'],
  [2, false, 'no answer that is NOERROR or NXDOMAIN within 200 ms, but SERVFAIL'],
  [5, false, 'no answer that is NOERROR or NXDOMAIN within 200 ms, but REFUSED'],
  [9, false, 'no answer that is NOERROR or NXDOMAIN within 200 ms, but code 9'],
])('a name server that answers with code %d', async (code, passed, detail) => {
  let asked = '';
  const socket = await Bun.udpSocket({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(self, bytes, port, ip) {
        asked = bytes.toString('latin1');
        const answer = Buffer.from(bytes);
        answer[2] = 0x81;
        answer[3] = code;
        self.send(answer, port, ip);
      },
    },
  });
  sockets.push(socket);
  const config = healthCheck.parse({ dns: { name: 'a.test', type: 'AAAA' }, timeout: '200ms' });
  const probe = probeOf(deps, { host: '127.0.0.1', port: socket.port }, 'http1', config);
  const result = await new Promise((resolve) => {
    probe(resolve);
  });
  expect(result).toEqual({ passed, detail });
  expect(asked.slice(2)).toBe('\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x1c\0\x01');
});
