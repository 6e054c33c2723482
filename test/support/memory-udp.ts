import { balancer } from '../../src/balancer/flow.ts';
import { udpListener as listenerSchema } from '../../src/config/schema/udp-listener.ts';
import { PoolQueue } from '../../src/connector/queue.ts';
import { L4Pool } from '../../src/l4/l4-pool.ts';
import { UdpListener } from '../../src/l4/udp-listener.ts';
import type { UdpWay } from '../../src/l4/udp-way.ts';
import type { FailureCode } from '../../src/model/failures.ts';
import { ListenerStats } from '../../src/model/listener-stats.ts';
import type { Pool } from '../../src/model/pool.ts';
import type { SessionEntry } from '../../src/model/session-entry.ts';
import {
  type DatagramHandler,
  type DatagramSocket,
  type Party,
  PARTY_WORDS,
  type Sent,
} from '../../src/net/datagram-socket.ts';
import { partyPort, writeParty } from '../../src/net/party.ts';
import { runTurn } from '../../src/net/turn.ts';
import { seededRandom } from '../../src/util/random.ts';
import { FakeTime } from './fake-time.ts';
import { PolicyPool, type PoolSpec } from './policy-pool.ts';

interface MemoryUdpOptions {
  /** As in a file: session, timeouts, limits ... */
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly pool?: Partial<PoolSpec>;
}

/** A socket to an endpoint: what was sent by it, and what comes of sending. */
class MemorySocket implements DatagramSocket {
  readonly endpoint: string;
  readonly handler: DatagramHandler;
  readonly sent: string[] = [];
  result: Sent;
  open = true;

  constructor(endpoint: string, handler: DatagramHandler, result: Sent) {
    this.endpoint = endpoint;
    this.handler = handler;
    this.result = result;
  }

  send(bytes: Buffer, length: number): Sent {
    if (this.result === 'sent') this.sent.push(bytes.toString('latin1', 0, length));
    return this.result;
  }

  close(): void {
    this.open = false;
  }
}

function configOf(more: Readonly<Record<string, unknown>> = {}) {
  return listenerSchema.parse({
    name: 'raw',
    address: '127.0.0.1:53',
    protocol: 'udp',
    pool: 'pool',
    ...more,
  });
}

/**
 * The UDP data path of a listener with one pool, from its real parts, over sockets in memory and with time that stands still. Clients are
 * told apart by their ports. Give the time back with `restore`.
 */
export class MemoryUdp implements UdpWay {
  readonly time = new FakeTime();
  readonly balanced: PolicyPool;
  readonly listener: UdpListener;
  /** Every socket that there was, in order. */
  readonly sockets: MemorySocket[] = [];
  /** What comes of the sockets to come. */
  result: Sent | 'EMFILE' = 'sent';
  readonly entries: SessionEntry[] = [];
  readonly observed: [endpoint: string, failure: FailureCode | undefined][] = [];
  /** Answers to clients: port and bytes. */
  readonly answered: string[] = [];
  /** Events of the log that are errors. */
  readonly errors: string[] = [];
  closing = false;
  #ways = 0;
  readonly #l4Pool: L4Pool;

  constructor({ listener, pool }: MemoryUdpOptions = {}) {
    this.balanced = new PolicyPool({ policy: 'first', endpoints: [1, 1], ...pool });
    const { wheel, clock } = this.time;
    this.#l4Pool = new L4Pool(
      this.pool,
      new PoolQueue(wheel, this.pool),
      wheel,
      () => {
        throw new Error('there is no TCP here');
      },
      (host, port, handler) => this.#open(`${host}:${port}`, handler),
    );
    this.listener = new UdpListener(configOf(listener), this.#l4Pool, new ListenerStats(), {
      balancer,
      observer: {
        observe: (_pool, { name }, failure) => void this.observed.push([name, failure]),
      },
      accessLog: { record() {}, recordSession: (entry) => void this.entries.push({ ...entry }) },
      wheel,
      clock,
      random: seededRandom(1),
      log: { debug() {}, info() {}, warn() {}, error: (event) => void this.errors.push(event) },
    });
  }

  #open(address: string, handler: DatagramHandler): DatagramSocket {
    if (this.result === 'EMFILE') throw Object.assign(new Error('socket: EMFILE'), { code: 'EMFILE' });
    const endpoint = this.pool.view.all.find(
      ({ config }) => `${config.address.host}:${config.address.port}` === address,
    )!;
    const socket = new MemorySocket(endpoint.name, handler, this.result);
    this.sockets.push(socket);
    return socket;
  }

  get pool(): Pool {
    return this.balanced.pool;
  }

  configure(listener: Readonly<Record<string, unknown>>): void {
    this.listener.configure(configOf(listener), this.#l4Pool);
  }

  /** A datagram of the client with that port. */
  client(port: number, text: string): void {
    const party: Party = new Int32Array(PARTY_WORDS);
    writeParty(party, '192.0.2.1', port);
    const bytes = Buffer.from(text);
    runTurn(() => this.listener.onDatagram(bytes, bytes.length, party, this));
  }

  /** An answer by the socket of that number. */
  answer(socket: number, text: string): void {
    const bytes = Buffer.from(text);
    runTurn(() => this.sockets[socket]!.handler.onDatagram(bytes, bytes.length));
  }

  refuse(socket: number): void {
    runTurn(() => this.sockets[socket]!.handler.onRefused('ECONNREFUSED'));
  }

  advance(ms: number): void {
    this.time.advance(ms);
  }

  restore(): void {
    this.time.restore();
  }

  /** Sessions at the endpoints, in their order. */
  get inFlight(): number[] {
    return this.pool.view.all.map(({ inFlight }) => inFlight);
  }

  failed(code: FailureCode): number {
    return new Map(this.listener.stats.failures()).get(code) ?? 0;
  }

  /** Failure code, endpoint and attempts of every session that has ended. */
  get log(): [failure: string, endpoint: string, attempts: number][] {
    return this.entries.map(({ failure, endpoint, attempts }) => [failure, endpoint, attempts]);
  }

  /** What is held for sessions: all of it is 0 when there is none. */
  get held(): Record<string, number> {
    const { activeRequests, view } = this.pool;
    const sum = (of: 'inFlight' | 'sessions'): number =>
      view.all.reduce((total, endpoint) => total + endpoint[of], 0);
    return {
      inFlight: sum('inFlight'),
      sessions: sum('sessions'),
      activeRequests,
      busy: this.listener.busy,
      connectionsOpen: this.listener.stats.connectionsOpen,
      ways: this.#ways,
      sockets: this.sockets.filter(({ open }) => open).length,
    };
  }

  // ---- the way by which datagrams come and answers leave ----

  sessionBegan(): void {
    this.#ways++;
  }

  sessionEnded(): void {
    this.#ways--;
  }

  send(party: Party, bytes: Buffer, length: number): void {
    this.answered.push(`${partyPort(party)} ${bytes.toString('latin1', 0, length)}`);
  }
}
