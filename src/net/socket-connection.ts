import { type CloseCause, type Connection, type ConnectionHandler, MAX_PIECE } from './connection.ts';
import { reportDefect } from './defects.ts';
import { keepOutput } from './kept-output.ts';
import { OutBuffer } from './out-buffer.ts';
import type { ProxyHeader } from './proxy-protocol/proxy-header.ts';
import type { TlsInfo } from './tls/tls-info.ts';
import { Follows, type FollowsKind, type Transport, type TransportEvents } from './transport.ts';
import { enterTurn, inTurn, leaveTurn, setTurnFlush } from './turn.ts';

/** Pieces up to this size are copied behind what already waits; larger ones are worth a write of their own. */
const JOIN_BYTES = 16 * 1024;

/** The one buffer in which the output of a turn is collected, and whose output it is. */
const out = new OutBuffer(MAX_PIECE);
let owner: SocketConnection | undefined;

/** @param follows What the owner gives at once. */
function flushOwner(follows: FollowsKind): void {
  const connection = owner;
  if (connection === undefined) return;
  owner = undefined;
  const { length } = out;
  out.length = 0;
  connection.send(out.bytes, 0, length, follows);
}

function flushAll(): void {
  flushOwner(Follows.Nothing);
}

setTurnFlush(flushAll);

/** Who keeps account of connections. */
export interface ConnectionKeeper {
  /** The connection that was served by `handler` first is gone. */
  released(handler: ConnectionHandler): void;
}

/** A connection over a socket: joins what is written within a turn, keeps what the kernel does not take. */
export class SocketConnection implements Connection, TransportEvents {
  handler: ConnectionHandler;
  remoteAddress: string;
  remotePort: number;
  proxied: ProxyHeader | undefined = undefined;
  bufferedBytes = 0;
  closed = false;
  readEnded = false;
  /** Is told when the socket is gone, whoever closed it; undefined for nobody. */
  keeper: ConnectionKeeper | undefined = undefined;
  /** Who served it first. */
  admitted: ConnectionHandler | undefined = undefined;
  tls: TlsInfo | undefined = undefined;
  #transport: Transport;
  /** Output that the kernel had no room for; undefined while there was none, as with most connections. */
  #waiting: Buffer[] | undefined = undefined;
  #shutdownWanted = false;
  #paused = false;

  constructor(transport: Transport, handler: ConnectionHandler) {
    this.#transport = transport;
    this.handler = handler;
    this.remoteAddress = transport.remoteAddress;
    this.remotePort = transport.remotePort;
  }

  get peerAddress(): string {
    return this.#transport.remoteAddress;
  }

  get peerPort(): number {
    return this.#transport.remotePort;
  }

  get localAddress(): string {
    return this.proxied?.addresses?.destination.ip ?? this.#transport.localAddress;
  }

  get localPort(): number {
    return this.proxied?.addresses?.destination.port ?? this.#transport.localPort;
  }

  introduce(header: ProxyHeader): void {
    this.proxied = header;
    const source = header.addresses?.source;
    if (source === undefined) return;
    this.remoteAddress = source.ip;
    this.remotePort = source.port;
  }

  open(room: number): OutBuffer {
    if (owner !== this || out.room < room) {
      // Who hears that a connection is congested may write to another one: that goes out first.
      while (owner !== undefined) flushOwner(Follows.Nothing);
      out.reserve(room);
      // oxlint-disable-next-line typescript/no-this-alias -- a reference that outlives the call, not an alias
      owner = this;
      if (!inTurn()) queueMicrotask(flushAll);
    }
    return out;
  }

  write(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length <= JOIN_BYTES) {
      this.open(length).copy(bytes, start, end);
      return;
    }
    // A head and the body behind it are one segment and wake the receiver once.
    if (owner === this) flushOwner(Follows.Bytes);
    this.send(bytes, start, end, Follows.Nothing);
  }

  flush(): boolean {
    if (owner === this) flushOwner(Follows.Nothing);
    return this.bufferedBytes === 0;
  }

  layer(make: (inner: Transport, events: TransportEvents) => Transport): void {
    this.#transport = make(this.#transport, this);
  }

  /** Gives bytes to the kernel; copies and keeps what it does not take. */
  send(bytes: Buffer, start: number, end: number, follows: FollowsKind): void {
    if (this.closed || start === end) return;
    let from = start;
    if (this.bufferedBytes === 0) {
      from += this.#transport.write(bytes, start, end, follows);
      if (from === end) return;
    }
    (this.#waiting ??= []).push(Buffer.from(bytes.subarray(from, end)));
    const first = this.bufferedBytes === 0;
    this.bufferedBytes += end - from;
    keepOutput(end - from);
    if (first) {
      this.#transport.wantRoom(true);
      this.handler.onCongested();
    }
  }

  silent(): boolean {
    return !this.closed && !this.readEnded && this.#transport.silent();
  }

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    this.#transport.read(false);
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    this.#transport.read(true);
  }

  keepAlive(idleMs: number): void {
    if (!this.closed) this.#transport.keepAlive(idleMs);
  }

  shutdown(): void {
    if (owner === this) flushOwner(this.#shutdownWanted ? Follows.Nothing : Follows.Fin);
    if (this.closed || this.#shutdownWanted) return;
    this.#shutdownWanted = true;
    if (this.bufferedBytes === 0) this.#transport.shutdown();
  }

  close(): void {
    if (owner === this) flushOwner(Follows.Fin);
    if (this.closed) return;
    this.#forget();
    this.#transport.close();
  }

  finish(): boolean {
    if (owner === this) flushOwner(Follows.Fin);
    if (this.bufferedBytes > 0) return false;
    this.close();
    return true;
  }

  reset(): void {
    if (owner === this) discardOutput();
    if (this.closed) return;
    this.#forget();
    this.#transport.reset();
  }

  #forget(): void {
    this.closed = true;
    this.#waiting = undefined;
    if (this.bufferedBytes > 0) keepOutput(-this.bufferedBytes);
    this.bufferedBytes = 0;
  }

  // ---- what the transport tells: each call is a turn ----

  onBytes(bytes: Buffer): void {
    if (this.closed) return;
    enterTurn();
    try {
      this.handler.onData(bytes);
    } catch (error) {
      this.#defect(error);
    } finally {
      leaveTurn();
    }
  }

  onRoom(): void {
    if (this.closed || this.bufferedBytes === 0) return;
    enterTurn();
    try {
      this.#sendWaiting();
    } catch (error) {
      this.#defect(error);
    } finally {
      leaveTurn();
    }
  }

  #sendWaiting(): void {
    const waiting = this.#waiting ?? [];
    while (waiting.length > 0) {
      const piece = waiting[0]!;
      const taken = this.#transport.write(piece, 0, piece.length);
      this.bufferedBytes -= taken;
      keepOutput(-taken);
      if (taken < piece.length) {
        if (taken > 0) waiting[0] = piece.subarray(taken);
        return;
      }
      waiting.shift();
    }
    this.#transport.wantRoom(false);
    if (this.#shutdownWanted) this.#transport.shutdown();
    this.handler.onDrain();
  }

  onFin(): void {
    if (this.closed || this.readEnded) return;
    this.readEnded = true;
    enterTurn();
    try {
      this.handler.onEnd();
    } catch (error) {
      this.#defect(error);
    } finally {
      leaveTurn();
    }
  }

  onGone(cause: CloseCause): void {
    enterTurn();
    try {
      if (owner === this) discardOutput();
      if (!this.closed) {
        this.#forget();
        this.handler.onClose(cause);
      }
    } catch (error) {
      reportDefect(error);
    } finally {
      this.#release();
      leaveTurn();
    }
  }

  #release(): void {
    const { keeper } = this;
    this.keeper = undefined;
    try {
      keeper?.released(this.admitted!);
    } catch (error) {
      reportDefect(error);
    }
  }

  /** Our own code failed to serve it: whoever holds the connection lets go of it. */
  #defect(error: unknown): void {
    if (!this.closed) {
      const { handler } = this;
      this.reset();
      handler.onClose('error');
    }
    reportDefect(error);
  }
}

function discardOutput(): void {
  owner = undefined;
  out.length = 0;
}
