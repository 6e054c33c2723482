/**
 * What one request costs without the kernel, on a connection that stays and on one of its own: bytes of a request go in, bytes of a
 * response come back, over transports that take everything. Nanoseconds an exchange;
 * `--cpu-prof` on it shows where they go, and BUN_JSC_logGC=1 how often the heap is collected.
 *
 * Run: bin/bun run bench/micro/exchange.ts
 */
import type { Connector } from '../../src/connector/connector.ts';
import { H1EndpointConnection } from '../../src/http/h1-client.ts';
import { dial } from '../../src/net/dial.ts';
import { SocketConnection } from '../../src/net/socket-connection.ts';
import type { Transport, TransportEvents } from '../../src/net/transport.ts';
import { unserved } from '../../src/net/unserved.ts';
import { welcome } from '../../src/net/welcome.ts';
import { systemClock } from '../../src/util/clock.ts';
import { listenerRig } from './listener-rig.ts';

const REQUEST = Buffer.from(
  'GET /abc HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n',
);
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 05:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 76\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(76)}`,
);
const LAST_REQUEST = Buffer.from(
  REQUEST.latin1Slice().replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
  'latin1',
);
const ROUNDS = 101;
const RUNS = 10_000;

class Sink implements Transport {
  #events: TransportEvents | undefined = undefined;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 40_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 80;
  writes = 0;
  write(_bytes: Buffer, start: number, end: number): number {
    this.writes++;
    return end - start;
  }
  silent(): boolean {
    return true;
  }
  wantRoom(): void {}
  read(): void {}
  keepAlive(): void {}
  shutdown(): void {}
  close(): void {
    this.#events?.onGone('closed');
  }
  reset(): void {}
  tellTo(events: TransportEvents): void {
    this.#events = events;
  }
}

const { listener, pool, l7Pool, wheel } = listenerRig(dial);

/** A client that was accepted. */
function connect(): SocketConnection {
  const sink = new Sink();
  const connection = new SocketConnection(sink, unserved);
  sink.tellTo(connection);
  welcome(listener, connection);
  return connection;
}

const client = connect();
const endpoints = pool.view.all.map((endpoint) => {
  const sink = new Sink();
  const connection = new SocketConnection(sink, unserved);
  const connector = l7Pool.connector(endpoint) as Connector<H1EndpointConnection>;
  const session = new H1EndpointConnection(
    connection,
    connector,
    pool.config.timeouts,
    wheel,
    systemClock.nowMs(),
  );
  connection.handler = session;
  connector.onIdle(session);
  return { connection, sink };
});

function exchange(by: SocketConnection, request: Buffer): void {
  by.onBytes(request);
  for (const { connection, sink } of endpoints) {
    if (sink.writes === 0) continue;
    sink.writes = 0;
    connection.onBytes(RESPONSE);
  }
}

/** Nanoseconds that `run` takes. */
function measure(title: string, run: () => void): void {
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = performance.now();
    for (let count = 0; count < RUNS; count++) run();
    costs.push(((performance.now() - startedMs) / RUNS) * 1e6);
  }
  costs.sort((a, b) => a - b);
  process.stdout.write(
    `${title}: ${costs[0]!.toFixed(0)} ns at best, ${costs[ROUNDS >> 1]!.toFixed(0)} ns median of ${ROUNDS} rounds\n`,
  );
}

measure('exchange on a connection that stays', () => exchange(client, REQUEST));
measure('connection with one exchange', () => exchange(connect(), LAST_REQUEST));
