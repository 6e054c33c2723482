import { FrameType } from '../../src/http/h2-protocol.ts';
import { H2Reading } from './h2-client.ts';
import type { Wire } from './wire.ts';

const WAIT_MS = 8000;

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

  /** Waits until `done`, the end, or for too long. Gives what was seen so far. */
  async until(done: (seen: readonly string[]) => boolean): Promise<readonly string[]> {
    const untilMs = performance.now() + WAIT_MS;
    for (;;) {
      const { received } = this.wire;
      if (received.length > this.#read) {
        this.reading.add(Buffer.from(received.subarray(this.#read)));
        this.#read = received.length;
      }
      const over = this.wire.ending !== 'open' || performance.now() > untilMs;
      if (done(this.reading.seen) || over) return this.reading.seen;
      await Bun.sleep(1);
    }
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
