import type { FailureCode } from '../../src/model/failures.ts';
import type { dial, Dialler } from '../../src/net/dial.ts';
import { SocketConnection } from '../../src/net/socket-connection.ts';
import { Follows, type FollowsKind, type Transport, type TransportEvents } from '../../src/net/transport.ts';
import { runTurn } from '../../src/net/turn.ts';
import { unserved } from '../../src/net/unserved.ts';

/** How our side of a connection stands, as its peer sees it. */
type Standing = 'open' | 'fin' | 'closed' | 'reset';

/** More events than any test has: something goes round in circles. */
const TOO_MANY_EVENTS = 100_000;

type Item = Buffer | 'fin' | 'gone';

/** The system's side of a connection in memory: what our side does ends up here. */
class MemoryTransport implements Transport {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress = '192.0.2.200';
  readonly localPort = 80;
  readonly connection: SocketConnection;
  readonly inbox: Item[] = [];
  readonly writes: Buffer[] = [];
  window: number = Number.POSITIVE_INFINITY;
  standing: Standing = 'open';
  reading = true;
  wantsRoom = false;
  finRead = false;
  /** What was said to follow what was taken last: that, and nothing else, is due. */
  due: FollowsKind = Follows.Nothing;
  /** Writes behind which no bytes were due. */
  breaths = 0;
  keptAliveMs = 0;
  events: TransportEvents;

  constructor(remoteAddress: string, remotePort: number) {
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.connection = new SocketConnection(this, unserved);
    this.events = this.connection;
  }

  get alive(): boolean {
    return this.standing === 'open' || this.standing === 'fin';
  }

  tellTo(events: TransportEvents): void {
    this.events = events;
  }

  gone(cause: 'closed' | 'reset'): void {
    if (!this.alive) return;
    this.standing = cause;
    this.events.onGone(cause);
  }

  write(bytes: Buffer, start: number, end: number, follows: FollowsKind = Follows.Nothing): number {
    if (start < 0 || end > bytes.length || start > end)
      throw new RangeError(`write of [${start}, ${end}) of ${bytes.length} bytes`);
    if (!this.alive) return end - start;
    if (this.standing === 'fin' || this.due === Follows.Fin) throw new Error('a write behind FIN');
    const taken = Math.min(this.window, end - start);
    this.due = taken === end - start ? follows : Follows.Nothing;
    if (this.due !== Follows.Bytes) this.breaths++;
    this.window -= taken;
    if (taken > 0) this.writes.push(Buffer.from(bytes.subarray(start, start + taken)));
    return taken;
  }

  silent(): boolean {
    return this.alive && !this.finRead && this.inbox.length === 0;
  }

  wantRoom(wanted: boolean): void {
    this.wantsRoom = wanted;
  }

  read(wanted: boolean): void {
    if (this.due !== Follows.Nothing && this.standing === 'open')
      throw new Error('what was due did not follow');
    this.reading = wanted;
  }

  keepAlive(idleMs: number): void {
    this.keptAliveMs = idleMs;
  }

  shutdown(): void {
    if (this.standing !== 'open') return;
    if (this.due === Follows.Bytes) throw new Error('the bytes that were due did not follow');
    this.standing = 'fin';
    // Both directions are over: the system tells that nothing is left, unless the FIN of the peer is still to be read.
    if (this.finRead) this.inbox.push('gone');
  }

  close(): void {
    this.gone('closed');
  }

  reset(): void {
    if (!this.alive) return;
    this.standing = 'reset';
    this.events.onGone('closed');
  }
}

/**
 * The other end of a connection without a network: a real connection of ours, with its joining, keeping and closing, over a peer that
 * does what the test says. Every event is a turn of its own. What is given to `onData` is gone when it returns, as with sockets.
 */
export class MemoryPeer {
  readonly #transport: MemoryTransport;
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork, remoteAddress: string, remotePort: number) {
    this.#network = network;
    this.#transport = new MemoryTransport(remoteAddress, remotePort);
  }

  get connection(): SocketConnection {
    return this.#transport.connection;
  }

  /** How our side has ended, if it has. */
  get standing(): Standing {
    return this.#transport.standing;
  }

  /** Silence after which our side asks; 0 when it never does. */
  get keptAliveMs(): number {
    return this.#transport.keptAliveMs;
  }

  /** Our side reads. */
  get reading(): boolean {
    return this.#transport.reading;
  }

  /** The pieces that were written, each with a call of its own. */
  get writes(): readonly Buffer[] {
    return this.#transport.writes;
  }

  /** How often something came: pieces of which one was said to follow the other come together. */
  get breaths(): number {
    return this.#transport.breaths;
  }

  /** Everything that came, one character a byte. */
  get received(): string {
    return Buffer.concat(this.#transport.writes).latin1Slice();
  }

  /** What came since the last time. */
  takeReceived(): string {
    const text = this.received;
    this.#transport.writes.length = 0;
    return text;
  }

  /** Bytes that our side has not read yet. */
  get unread(): number {
    return this.#transport.inbox.reduce((sum, item) => sum + (typeof item === 'string' ? 0 : item.length), 0);
  }

  send(data: string | Uint8Array): this {
    return this.#arrives(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data));
  }

  /** Sends FIN; it goes on reading. */
  fin(): this {
    return this.#arrives('fin');
  }

  #arrives(item: Item): this {
    this.#transport.inbox.push(item);
    this.#network.settle();
    return this;
  }

  /** Sends RST: it overtakes everything. */
  reset(): this {
    this.#transport.inbox.length = 0;
    this.#transport.gone('reset');
    this.#network.settle();
    return this;
  }

  /** Takes no more than `bytes` from now on. */
  hold(bytes = 0): this {
    this.#transport.window = bytes;
    return this;
  }

  /** Takes `bytes` more. */
  take(bytes = Number.POSITIVE_INFINITY): this {
    const transport = this.#transport;
    transport.window += bytes;
    if (transport.wantsRoom && transport.alive) transport.events.onRoom();
    this.#network.settle();
    return this;
  }

  /** Gives our side the next thing, if it reads. Returns whether there was one. */
  deliver(): boolean {
    const transport = this.#transport;
    const item = transport.inbox[0];
    if (item === undefined || !transport.alive || (!transport.reading && item !== 'gone')) return false;
    transport.inbox.shift();
    if (item === 'fin') {
      transport.finRead = true;
      transport.events.onFin();
    } else if (item === 'gone') {
      transport.gone('closed');
    } else {
      transport.events.onBytes(item);
      // Whoever kept a reference instead of a copy reads this from now on.
      item.fill('!');
    }
    return true;
  }
}

/** A connection to an endpoint on its way. */
export class MemoryDial {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  pending = true;
  readonly #network: MemoryNetwork;
  readonly #dialler: Dialler;
  readonly #introduction: Buffer | undefined;

  constructor(
    network: MemoryNetwork,
    host: string,
    port: number,
    timeoutMs: number,
    dialler: Dialler,
    introduction: Buffer | undefined,
  ) {
    this.#introduction = introduction;
    this.#network = network;
    this.host = host;
    this.port = port;
    this.timeoutMs = timeoutMs;
    this.#dialler = dialler;
  }

  #settle(): void {
    if (!this.pending) throw new Error('this dial is over');
    this.pending = false;
  }

  /** The endpoint accepts. Returns its end. */
  accept(): MemoryPeer {
    this.#settle();
    const peer = this.#network.peer(this.host, this.port);
    runTurn(() => {
      if (this.#introduction !== undefined)
        peer.connection.write(this.#introduction, 0, this.#introduction.length);
      peer.connection.handler = this.#dialler.onConnected(peer.connection);
    });
    this.#network.settle();
    return peer;
  }

  fail(code: FailureCode = 'connect_refused'): void {
    this.#settle();
    runTurn(() => this.#dialler.onDialFailed(code, ''));
    this.#network.settle();
  }
}

/** Connections in memory, and the order in which things happen on them. */
export class MemoryNetwork {
  /** Every dial so far. */
  readonly dials: MemoryDial[] = [];
  readonly #peers: MemoryPeer[] = [];
  #settling = false;

  /** Stands for the dialling of `net`. */
  readonly dial: typeof dial = (_wheel, host, port, timeoutMs, dialler, introduction) => {
    const one = new MemoryDial(this, host, port, timeoutMs, dialler, introduction);
    this.dials.push(one);
    return () => {
      one.pending = false;
    };
  };

  get pendingDials(): MemoryDial[] {
    return this.dials.filter(({ pending }) => pending);
  }

  /** Accepts the oldest dial that is on its way. */
  acceptDial(): MemoryPeer {
    const oldest = this.pendingDials[0];
    if (oldest === undefined) throw new Error('nobody dials');
    return oldest.accept();
  }

  /** A new connection that nobody serves yet. */
  peer(remoteAddress = '192.0.2.1', remotePort = 40_000): MemoryPeer {
    const peer = new MemoryPeer(this, remoteAddress, remotePort);
    this.#peers.push(peer);
    return peer;
  }

  /** Delivers what can be read, round after round, until all is quiet. */
  settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    let events = 0;
    for (let busy = true; busy;) {
      busy = false;
      for (const peer of this.#peers) {
        if (!peer.deliver()) continue;
        busy = true;
        if (++events > TOO_MANY_EVENTS) throw new Error('the network does not come to rest');
      }
    }
    this.#settling = false;
  }
}
