import type { Socket } from 'bun';

import { type CloseCause, type Connection, type ConnectionHandler, MAX_PIECE } from './connection.ts';
import { OutBuffer } from './out-buffer.ts';
import { enterTurn, inTurn, leaveTurn, setTurnFlush } from './turn.ts';

export type RuntimeSocket = Socket<SocketConnection | undefined>;

/** Pieces up to this size are copied behind what already waits; larger ones are worth a write of their own. */
const JOIN_BYTES = 16 * 1024;

/** The one buffer in which the output of a turn is collected, and whose output it is. */
const out = new OutBuffer(MAX_PIECE);
let owner: SocketConnection | undefined;

function flushOwner(): void {
  const connection = owner;
  if (connection === undefined) return;
  owner = undefined;
  const length = out.length;
  out.length = 0;
  connection.send(out.bytes, 0, length);
}

setTurnFlush(flushOwner);

function errorCode(error: unknown): string | undefined {
  return error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : undefined;
}

/** Why the runtime says that a connection ended. */
function causeOf(error: unknown): CloseCause {
  const code = errorCode(error);
  if (error === undefined || error === null || code === undefined) return 'closed';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'error';
}

/** A connection over a socket of the runtime. */
export class SocketConnection implements Connection {
  handler: ConnectionHandler;
  readonly remoteAddress: string;
  readonly remotePort: number;
  bufferedBytes = 0;
  closed = false;
  readEnded = false;
  /** Told when the descriptor is gone, whoever closed it. */
  onGone: (() => void) | undefined = undefined;
  readonly #socket: RuntimeSocket;
  #waiting: Buffer[] = [];
  #shutdownWanted = false;
  #paused = false;

  constructor(socket: RuntimeSocket, handler: ConnectionHandler) {
    this.#socket = socket;
    this.handler = handler;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
  }

  open(room: number): OutBuffer {
    if (owner !== this || out.room < room) {
      flushOwner();
      // eslint-disable-next-line typescript/no-this-alias -- a reference, not an alias
      owner = this;
      if (!inTurn()) queueMicrotask(flushOwner);
    }
    return out;
  }

  write(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length <= JOIN_BYTES) {
      this.open(length).copy(bytes, start, end);
      return;
    }
    if (owner === this) flushOwner();
    this.send(bytes, start, end);
  }

  flush(): boolean {
    if (owner === this) flushOwner();
    return this.bufferedBytes === 0;
  }

  /** Gives bytes to the kernel; copies and keeps what it does not take. */
  send(bytes: Buffer, start: number, end: number): void {
    if (this.closed || start === end) return;
    let from = start;
    if (this.bufferedBytes === 0) {
      const taken = this.#socket.write(bytes, start, end - start);
      if (taken > 0) from += taken;
      if (from === end) return;
    }
    this.#waiting.push(Buffer.from(bytes.subarray(from, end)));
    const first = this.bufferedBytes === 0;
    this.bufferedBytes += end - from;
    if (first) this.handler.onCongested();
  }

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    this.#socket.resume();
  }

  shutdown(): void {
    if (owner === this) flushOwner();
    if (this.closed || this.#shutdownWanted) return;
    this.#shutdownWanted = true;
    if (this.bufferedBytes === 0) this.#socket.shutdown();
  }

  close(): void {
    if (owner === this) flushOwner();
    if (this.closed) return;
    this.closed = true;
    this.#forget();
    this.#socket.end();
  }

  reset(): void {
    if (owner === this) {
      owner = undefined;
      out.length = 0;
    }
    if (this.closed) return;
    this.closed = true;
    this.#forget();
    this.#socket.terminate();
  }

  /** Ends a connection that our own code failed to serve, so that whoever holds it lets go. */
  abandon(): void {
    if (this.closed) return;
    const handler = this.handler;
    this.reset();
    handler.onClose('error');
  }

  #forget(): void {
    this.#waiting = [];
    this.bufferedBytes = 0;
  }

  /** The kernel has room again. */
  drained(): void {
    if (this.closed || this.bufferedBytes === 0) return;
    while (this.#waiting.length > 0) {
      const piece = this.#waiting[0]!;
      const taken = this.#socket.write(piece);
      if (taken > 0) this.bufferedBytes -= taken;
      if (taken < piece.length) {
        if (taken > 0) this.#waiting[0] = piece.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
    if (this.#shutdownWanted) this.#socket.shutdown();
    this.handler.onDrain();
  }

  /** The runtime says that the socket is gone. */
  gone(cause: CloseCause): void {
    if (owner === this) {
      owner = undefined;
      out.length = 0;
    }
    if (!this.closed) {
      this.closed = true;
      this.#forget();
      this.handler.onClose(cause);
    }
    this.onGone?.();
  }
}

let reportDefect: (error: unknown) => void = (error) => {
  throw error;
};

/** Who is told when our own code throws while it serves a connection: that connection is reset, the others live on. */
export function onDefect(report: (error: unknown) => void): void {
  reportDefect = report;
}

function defect(connection: SocketConnection, error: unknown): void {
  connection.abandon();
  reportDefect(error);
}

/** What every socket of ours answers to, accepted or dialled, from its `open` on. */
export const socketHandlers = {
  data(socket: RuntimeSocket, bytes: Buffer): void {
    const connection = socket.data;
    if (connection === undefined || connection.closed) return;
    enterTurn();
    try {
      connection.handler.onData(bytes);
    } catch (error) {
      defect(connection, error);
    }
    leaveTurn();
  },
  drain(socket: RuntimeSocket): void {
    const connection = socket.data;
    if (connection === undefined || connection.bufferedBytes === 0) return;
    enterTurn();
    try {
      connection.drained();
    } catch (error) {
      defect(connection, error);
    }
    leaveTurn();
  },
  end(socket: RuntimeSocket): void {
    const connection = socket.data;
    if (connection === undefined || connection.closed) return;
    enterTurn();
    connection.readEnded = true;
    try {
      connection.handler.onEnd();
    } catch (error) {
      defect(connection, error);
    }
    leaveTurn();
  },
  close(socket: RuntimeSocket, error?: unknown): void {
    const connection = socket.data;
    if (connection === undefined) return;
    enterTurn();
    try {
      connection.gone(causeOf(error));
    } catch (thrown) {
      defect(connection, thrown);
    }
    leaveTurn();
  },
  error(socket: RuntimeSocket, error: unknown): void {
    enterTurn();
    const connection = socket.data;
    if (connection !== undefined && !connection.closed) {
      connection.gone(causeOf(error));
      socket.terminate();
    }
    leaveTurn();
  },
};
