import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';

import { WebSocket, WebSocketServer } from 'ws';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { startEndpoints } from '../support/endpoint-process.ts';
import { failed, Load, summary } from '../support/load.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';

const SOCKETS = 1000;
const RELOADS = 200;

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.on('open', () => resolve());
    socket.on('error', reject);
  });
  return socket;
}

async function echoed(socket: WebSocket, text: string): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.once('message', (data: Buffer) => resolve(String(data)));
  });
  socket.send(text);
  return answer;
}

async function poolOf(pointsman: Pointsman, name: string): Promise<PoolReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/pools/${name}`)).json()) as PoolReport;
}

test('two hundred reloads of route B: no WebSocket of route A ends, no request to B fails', async () => {
  const [port = 0] = await freePorts(1);
  const server = new WebSocketServer({ port, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(String(data))));
  await using processes = await startEndpoints(3);
  const all = processes.all.map(({ name, address }) => ({ name, address }));
  /** Route and pool B are another each time: members, weights, policy, timeouts, filters. */
  const configOf = (round: number): TestConfig => ({
    workers: 2,
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        timeouts: { idle: `${60 + (round % 3)}s` },
        routes: [
          { name: 'a', match: { path: '/socket' }, pool: 'sockets' },
          ...(round % 2 === 0 ? [] : [{ match: { path: '/only-odd' }, reply: { status: 404 } }]),
          {
            name: 'b',
            pool: 'work',
            filters: [{ headers: { response: { set: { 'X-Round': String(round) } } } }],
          },
        ],
      },
    ],
    pools: [
      { name: 'sockets', endpoints: [`127.0.0.1:${port}`] },
      {
        name: 'work',
        policy: (['round-robin', 'least-connections', 'random-two'] as const)[round % 3]!,
        endpoints: all
          .filter((_, index) => round % 4 === 0 || index !== (round % 4) - 1)
          .map(({ name, address }, index) => ({ name, address, weight: 1 + ((round + index) % 3) })),
        timeouts: { response: `${5 + (round % 5)}s` },
      },
    ],
  });
  await using pointsman = await startPointsman(configOf(0));
  const { host, port: listening } = pointsman.address();
  const url = `ws://${host}:${listening}/socket`;
  const sockets: WebSocket[] = [];
  while (sockets.length < SOCKETS) {
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openSocket(url)))));
  }
  let lost = 0;
  for (const socket of sockets) socket.on('close', () => lost++);
  const load = new Load({ address: pointsman.address(), ratePerSecond: 150 });
  const before = await poolOf(pointsman, 'sockets');
  for (let round = 1; round <= RELOADS; round++) {
    writeFileSync(pointsman.file, JSON.stringify({ admin: { address: '127.0.0.1:0' }, ...configOf(round) }));
    const answer = await fetch(`${pointsman.admin}/api/v1/reload`, { method: 'POST' });
    expect(await answer.json()).toMatchObject({ outcome: 'applied', revision: round + 1 });
    await Bun.sleep(20);
  }
  const shots = await load.stop();
  expect(shots.length).toBeGreaterThan(100);
  expect(summary(failed(shots))).toBe('');
  expect(shots.filter(({ mixedUp }) => mixedUp)).toEqual([]);
  expect(lost).toBe(0);
  const texts = sockets.map((_, index) => `still here ${index}`);
  expect(await Promise.all(sockets.map((socket, index) => echoed(socket, texts[index]!)))).toEqual(texts);
  const after = await poolOf(pointsman, 'sockets');
  expect(after.endpoints.map(({ requests, active }) => [requests, active])).toEqual([[SOCKETS, SOCKETS]]);
  const history = ({ endpoints }: PoolReport) => endpoints.map(({ state }) => [state.health, state.reason]);
  expect(history(after)).toEqual(history(before));
  for (const socket of sockets) socket.terminate();
  server.close();
}, 120_000);
