import type { H2EndpointStream } from './h2-client-stream.ts';
import { MAX_INTERIM } from './h1-client.ts';
import type { ConnectionOutput } from './h2-output.ts';
import { MAX_STREAM_ID } from './h2-protocol.ts';
import { StreamTable } from './h2-stream-table.ts';

const MAX_SPARE_STREAMS = 128;
/** Field blocks of one response at most: interim heads, the head, trailers. */
const MAX_BLOCKS = MAX_INTERIM + 2;

/** The streams of one connection to an endpoint, and what may still come on those that we have reset (RFC 9113 section 5.1). */
export class EndpointStreams {
  /** Streams handed out that have not ended. */
  busy = 0;
  readonly #output: ConnectionOutput;
  readonly #open = new StreamTable<H2EndpointStream>();
  readonly #spare: H2EndpointStream[] = [];
  #nextId = 1;
  /** What the endpoint may send on streams that were reset, because it had not heard of it: content in bytes, and field blocks. */
  #strayBytes = 0;
  #strayBlocks = 0;

  constructor(output: ConnectionOutput) {
    this.#output = output;
  }

  get(id: number): H2EndpointStream | undefined {
    return this.#open.get(id);
  }

  /** Those that are open, in no order. Some of them may end while it is looked through: then it takes a copy. */
  get all(): readonly H2EndpointStream[] {
    return this.#open.all;
  }

  /** There are no more numbers for streams. */
  get exhausted(): boolean {
    return this.#nextId > MAX_STREAM_ID;
  }

  /** Whether we have opened it at any time. */
  wasOpened(id: number): boolean {
    return id < this.#nextId && (id & 1) === 1;
  }

  /** One that has served before; undefined when there is none. */
  spare(): H2EndpointStream | undefined {
    return this.#spare.pop();
  }

  /** Gives it a number. */
  begin(stream: H2EndpointStream): void {
    stream.reused = this.#nextId > 1;
    stream.id = this.#nextId;
    this.#nextId += 2;
    stream.out.begin(stream.id, this.#output.initialWindow);
    this.#open.add(stream);
  }

  /** A stream is over. `error`: what the endpoint is told with RST_STREAM; -1 for nothing. */
  end(stream: H2EndpointStream, error: number): void {
    this.busy--;
    if (stream.id === 0) return;
    this.#open.remove(stream);
    if (error >= 0) {
      this.#strayBytes += Math.max(0, stream.windowLeft);
      this.#strayBlocks += MAX_BLOCKS;
      this.#output.reset(stream.out, error);
    } else stream.out.close();
    stream.id = 0;
  }

  /** Nobody has it any longer: it may serve again. */
  recycle(stream: H2EndpointStream): void {
    if (this.#spare.length < MAX_SPARE_STREAMS) this.#spare.push(stream);
  }

  /** So much content came on a stream that is over, bytes. Returns whether it can be what was on its way. */
  mayStray(bytes: number): boolean {
    this.#strayBytes -= bytes;
    return this.#strayBytes >= 0;
  }

  /** ... a field block. */
  mayStrayBlock(): boolean {
    return this.#strayBlocks-- > 0;
  }
}
