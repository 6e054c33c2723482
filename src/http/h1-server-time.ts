import { Deadline, type Timed, type TimerWheel } from '../net/timer-wheel.ts';
import { BodyPace, type BodyPaceRules } from './body-pace.ts';
import type { ServerSettings } from './server-settings.ts';

/** How long is read on after the connection was ended, so that the last response is not lost to a reset (RFC 9112 section 9.6), milliseconds. */
const LINGER_MS = 2000;

/** The one time that runs for a client's connection of HTTP/1.x: what it waits for, and until when. */
export class H1ServerTime {
  readonly #deadline: Deadline;
  /** A part of a head has come. */
  #headBegun = false;
  /** Undefined until the first body. */
  #pace: BodyPace | undefined = undefined;
  /** What the client had still to take when the time for it began. */
  #stalledBytes = 0;

  constructor(wheel: TimerWheel, target: Timed) {
    this.#deadline = new Deadline(wheel, target);
  }

  /** For nothing that the client has to do. */
  awaitNothing(): void {
    this.#deadline.stop();
  }

  awaitRequest({ idle }: ServerSettings['timeouts']): void {
    this.#deadline.start(idle);
  }

  /** A part of a head has come: the time for the whole of it begins with the first, however many follow. */
  awaitHead({ requestHead }: ServerSettings['timeouts']): void {
    if (this.#headBegun) return;
    this.#headBegun = true;
    this.#deadline.start(requestHead);
  }

  /** The head is whole, or of no use. */
  headEnded(): void {
    this.#headBegun = false;
  }

  /** It is the client's turn to send a body. */
  beginBody(): void {
    (this.#pace ??= new BodyPace()).begin();
  }

  /** For the next piece of the body, of which `bytes` have come; of a client that is being answered, at whatever pace. */
  awaitBody(bytes: number, answered: boolean, rules: BodyPaceRules): void {
    this.#deadline.start(answered ? rules.idleMs : this.#pace!.leftMs(bytes, rules));
  }

  /** Nobody listens to the client: that time is not its own. */
  holdBody(): void {
    this.#pace!.hold();
  }

  goOnWithBody(): void {
    this.#pace!.go();
  }

  /** For the client to take some of what waits for it. */
  awaitRoom(waitingBytes: number, timeouts: ServerSettings['timeouts']): void {
    this.#stalledBytes = waitingBytes;
    this.awaitEmpty(timeouts);
  }

  /** The time for taking is over. Returns whether the client took something all the same, and so gets more of it. */
  goesOn(waitingBytes: number, timeouts: ServerSettings['timeouts']): boolean {
    if (waitingBytes === this.#stalledBytes) return false;
    this.awaitRoom(waitingBytes, timeouts);
    return true;
  }

  /** For the client to take all that was said to it last. */
  awaitEmpty({ send }: ServerSettings['timeouts']): void {
    this.#deadline.start(send);
  }

  /** For the client to close, now that it has everything. */
  awaitEnd(): void {
    this.#deadline.start(LINGER_MS);
  }

  cancel(): void {
    this.#deadline.cancel();
  }
}
