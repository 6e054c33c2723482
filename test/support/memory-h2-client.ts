import { H2Reading, HELLO } from './h2-client.ts';
import type { MemoryPeer } from './memory-connection.ts';
import type { MemoryProxy } from './memory-proxy.ts';

/** A client that speaks HTTP/2 over a connection in memory and has said hello, and what it has seen since. */
export class MemoryH2Client {
  readonly peer: MemoryPeer;
  readonly #reading = new H2Reading();

  constructor(proxy: MemoryProxy) {
    this.peer = proxy.connect().send(HELLO);
    this.take();
  }

  send(...frames: readonly Buffer[]): this {
    this.peer.send(Buffer.concat(frames));
    return this;
  }

  /** What came since the last time. */
  take(): string[] {
    this.#reading.add(Buffer.from(this.peer.takeReceived(), 'latin1'));
    return this.#reading.seen.splice(0);
  }
}
