import type { ConnectionHandler } from '../net/connection.ts';
import { unserved } from '../net/unserved.ts';
import { H2Error } from './h2-protocol.ts';
import type { H2ServerConnection } from './h2-server.ts';
import type { H2ServerStream } from './h2-server-stream.ts';
import type { RelaySide } from '../net/relay.ts';
import type { RequestConsumer } from './streams.ts';

/**
 * One side of a tunnel that is a stream (RFC 8441): DATA instead of bytes on a connection, END_STREAM for FIN, RST_STREAM with CANCEL
 * for RST.
 */
export class StreamTunnelSide implements RelaySide, RequestConsumer {
  readonly leftover: Buffer;
  readonly #stream: H2ServerStream;
  readonly #connection: H2ServerConnection;
  #handler: ConnectionHandler = unserved;
  #over = false;

  constructor(stream: H2ServerStream, connection: H2ServerConnection, leftover: Buffer) {
    this.#stream = stream;
    this.#connection = connection;
    this.leftover = leftover;
  }

  // ---- what the tunnel does ----

  get readEnded(): boolean {
    return this.#over || this.#stream.received;
  }

  get bufferedBytes(): number {
    return this.#over ? 0 : this.#stream.out.pendingBytes;
  }

  setHandler(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.resume();
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (!this.#over) this.#stream.sendBody(bytes, start, end);
  }

  pause(): void {
    if (!this.#over) this.#stream.pauseRequest();
  }

  resume(): void {
    if (!this.#over) this.#stream.resumeRequest();
  }

  shutdown(): void {
    if (!this.#over) this.#connection.output.end(this.#stream.out, undefined);
  }

  /** What waits is sent still; then the stream is over, whatever the client has to say. */
  close(): void {
    if (this.#over) return;
    const stream = this.#stream;
    stream.leaveTunnel();
    stream.sendEnd(undefined);
    if (stream.out.ended && !stream.over) this.#connection.streams.finished(stream);
  }

  reset(): void {
    if (this.#over) return;
    this.#connection.streams.reset(this.#stream, H2Error.Cancel);
  }

  /** The stream is over, and may be another one soon. */
  detach(): void {
    this.#over = true;
  }

  // ---- what the stream tells ----

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    this.#handler.onData(bytes.subarray(start, end));
  }

  onRequestEnd(): void {
    this.#handler.onEnd();
  }

  onRequestFailed(): void {
    this.#over = true;
    this.#handler.onClose('reset');
  }

  onClientCongested(): void {
    this.#handler.onCongested();
  }

  onClientDrain(): void {
    this.#handler.onDrain();
  }

  onClientEnd(): void {}

  /** Tunnels are asked to end by who joined them. */
  onCut(): void {}
}
