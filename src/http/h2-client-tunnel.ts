import type { ConnectionHandler } from '../net/connection.ts';
import type { RelaySide } from '../net/relay.ts';
import { unserved } from '../net/unserved.ts';
import type { H2EndpointStream } from './h2-client-stream.ts';
import type { ResponseConsumer } from './streams.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * The endpoint's side of a tunnel that is a stream (RFC 8441): DATA instead of bytes of a connection, END_STREAM for FIN, RST_STREAM with
 * CANCEL for RST.
 */
export class H2EndpointTunnel implements RelaySide, ResponseConsumer {
  readonly leftover: Buffer = NO_BYTES;
  readEnded = false;
  readonly #stream: H2EndpointStream;
  #handler: ConnectionHandler = unserved;
  #over = false;

  constructor(stream: H2EndpointStream) {
    this.#stream = stream;
  }

  // ---- what the relay does ----

  get bufferedBytes(): number {
    return this.#over ? 0 : this.#stream.out.pendingBytes;
  }

  setHandler(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (!this.#over) this.#stream.sendBody(bytes, start, end);
  }

  pause(): void {
    if (!this.#over) this.#stream.pauseResponse();
  }

  resume(): void {
    if (!this.#over) this.#stream.resumeResponse();
  }

  shutdown(): void {
    if (!this.#over) this.#stream.sendEnd(undefined);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler = unserved;
    this.#stream.sendEnd(undefined);
    if (this.readEnded && this.#stream.out.ended) this.#stream.finishTunnel();
    else this.#stream.abort();
  }

  reset(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler = unserved;
    this.#stream.abort();
  }

  // ---- what the stream tells ----

  onEnd(): void {
    this.readEnded = true;
    this.#handler.onEnd();
  }

  onInformational(): void {}

  onResponse(): void {}

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.#handler.onData(bytes.subarray(start, end));
  }

  onResponseEnd(): void {}

  onAttemptFailed(): void {
    this.#over = true;
    this.#handler.onClose('reset');
  }

  onEndpointCongested(): void {
    this.#handler.onCongested();
  }

  onEndpointDrain(): void {
    this.#handler.onDrain();
  }
}
