import { FrameType } from '../../src/http/h2-protocol.ts';
import { H2Reading } from './h2-client.ts';
import type { Wire } from './wire.ts';

const WAIT_MS = 10_000;

/** A client of HTTP/2 on the wire: sends what it is told, reads frames. */
export class H2Wire {
  readonly reading = new H2Reading();
  readonly wire: Wire;
  #read = 0;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  send(...frames: readonly Uint8Array[]): void {
    this.wire.send(Buffer.concat(frames));
  }

  /** Takes in what has come; gives all that was seen so far. */
  read(): readonly string[] {
    const { received } = this.wire;
    if (received.length > this.#read) {
      this.reading.add(Buffer.from(received.subarray(this.#read)));
      this.#read = received.length;
    }
    return this.reading.seen;
  }

  /** Waits until `done`, and gives what was seen so far. An error when the connection or the time ends before. */
  async until(done: (seen: readonly string[]) => boolean): Promise<readonly string[]> {
    await this.wire.comes(() => done(this.read()) || this.wire.ending !== 'open', WAIT_MS);
    if (done(this.read())) return this.reading.seen;
    throw new Error(
      `not within ${WAIT_MS} ms: ${done.toString()}; connection ${this.wire.ending}, the last frames: ${this.reading.seen.slice(-5).join('; ')}`,
    );
  }

  /** Waits until the other side has ended the connection, and gives all that was seen. An error when it does not. */
  async untilEnd(): Promise<readonly string[]> {
    await this.until(() => this.wire.ending !== 'open');
    return this.reading.seen;
  }

  /** The response on that stream is whole, or was reset. */
  hasEnded(stream: number): boolean {
    return this.reading
      .of(stream)
      .some((line) => /^(?:Headers|Data) \d+ end/.test(line) || line.startsWith('ResetStream'));
  }

  /** Content of the DATA frames of a stream. */
  bodyOf(stream: number): string {
    return this.reading.frames
      .filter((one) => one.type === FrameType.Data && one.stream === stream)
      .map(({ payload }) => payload.latin1Slice())
      .join('');
  }
}
