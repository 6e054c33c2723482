import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import type { FrameWriter } from './h2-frame-writer.ts';
import { H2Error, MAX_STREAM_ID } from './h2-protocol.ts';

/** How long is waited for the answer to the PING behind the first GOAWAY, milliseconds. */
const ANSWER_MS = 1000;
const PING_DATA = Buffer.from('draining', 'latin1');

/** Whose connection ends. */
export interface GoodbyeOwner {
  /** It is old enough to go. */
  drain(): void;
  /** The peer has had time to hear the warning. */
  onWarned(): void;
}

/**
 * The end of a connection in two steps (RFC 9113 section 6.8): a GOAWAY that only warns, so that requests which are on their way are
 * served; then, when the peer has heard it or a second has passed, the real one.
 */
export class Goodbye {
  readonly #writer: FrameWriter;
  readonly #owner: GoodbyeOwner;
  /** Until the connection is old, then until the warning was heard. */
  #deadline: Deadline | undefined = undefined;
  #warned = false;

  constructor(writer: FrameWriter, owner: GoodbyeOwner) {
    this.#writer = writer;
    this.#owner = owner;
  }

  /** The connection may become so old, milliseconds. */
  after(wheel: TimerWheel, ageMs: number): void {
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(ageMs);
  }

  warn(wheel: TimerWheel): void {
    this.#warned = true;
    this.#writer.goaway(MAX_STREAM_ID, H2Error.NoError, '');
    this.#writer.ping(false, PING_DATA, 0);
    this.#deadline ??= new Deadline(wheel, this);
    this.#deadline.start(ANSWER_MS);
  }

  /** The peer has answered a PING: whether it was ours, and the warning is heard. */
  isHeard(data: Buffer, start: number): boolean {
    return this.#warned && PING_DATA.compare(data, start, start + PING_DATA.length) === 0;
  }

  onDeadline(): void {
    if (this.#warned) this.#owner.onWarned();
    else this.#owner.drain();
  }

  cancel(): void {
    this.#deadline?.cancel();
  }
}
