import type { Connection, ConnectionHandler } from './connection.ts';
import type { RelaySide } from './relay.ts';

/** One side of a relay that has a whole connection to itself. */
export class ConnectionSide implements RelaySide {
  readonly leftover: Buffer;
  readonly #connection: Connection;

  constructor(connection: Connection, leftover: Buffer) {
    this.#connection = connection;
    this.leftover = leftover;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  get readEnded(): boolean {
    return this.#connection.readEnded;
  }

  setHandler(handler: ConnectionHandler): void {
    this.#connection.handler = handler;
    this.#connection.resume();
  }

  write(bytes: Buffer, start: number, end: number): void {
    this.#connection.write(bytes, start, end);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  shutdown(): void {
    this.#connection.shutdown();
  }

  close(): void {
    this.#connection.close();
  }

  reset(): void {
    this.#connection.reset();
  }
}
