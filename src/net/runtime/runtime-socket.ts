import type { Socket } from 'bun';

import type { CloseCause } from '../connection.ts';
import type { Transport, TransportEvents } from '../transport.ts';

export type RuntimeSocket = Socket<TransportEvents | undefined>;

/** Why the runtime says that a connection ended. */
function causeOf(error: unknown): CloseCause {
  const code =
    error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : undefined;
  if (code === undefined) return 'closed';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'error';
}

/** A socket of the runtime: everywhere that Bun runs. */
export class RuntimeTransport implements Transport {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #socket: RuntimeSocket;

  constructor(socket: RuntimeSocket) {
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
  }

  get localAddress(): string {
    return this.#socket.localAddress;
  }

  get localPort(): number {
    return this.#socket.localPort;
  }

  write(bytes: Buffer, start: number, end: number): number {
    const taken = this.#socket.write(bytes, start, end - start);
    // Dead: the close event follows.
    return taken < 0 ? end - start : taken;
  }

  /** The runtime tells it unasked. */
  /** The runtime reads as soon as it can, and cannot be asked what it has not read. */
  silent(): boolean {
    return true;
  }

  wantRoom(): void {}

  read(wanted: boolean): void {
    if (wanted) this.#socket.resume();
    else this.#socket.pause();
  }

  /** The runtime leaves the pace of the probes to the system. */
  keepAlive(idleMs: number): void {
    this.#socket.setKeepAlive(true, idleMs);
  }

  shutdown(): void {
    this.#socket.shutdown();
  }

  close(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.terminate();
  }

  tellTo(events: TransportEvents): void {
    this.#socket.data = events;
  }
}

/** What every socket of the runtime answers to, accepted or dialled, from its `open` on. */
export const runtimeHandlers = {
  data(socket: RuntimeSocket, bytes: Buffer): void {
    socket.data?.onBytes(bytes);
  },
  drain(socket: RuntimeSocket): void {
    socket.data?.onRoom();
  },
  end(socket: RuntimeSocket): void {
    socket.data?.onFin();
  },
  close(socket: RuntimeSocket, error?: unknown): void {
    socket.data?.onGone(causeOf(error));
  },
  error(socket: RuntimeSocket, error: unknown): void {
    socket.data?.onGone(causeOf(error));
    socket.terminate();
  },
};
