import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import type { ServerSettings } from './server-settings.ts';

/** What a connection waits for. */
export const Awaits = {
  Nothing: 0,
  /** A request. */
  Request: 1,
  /** The rest of a frame or of a field block. */
  Frame: 2,
  /** That the client takes what was sent. */
  Room: 3,
  /** The end, or for frames that still come. */
  End: 4,
} as const;

export type Awaited = (typeof Awaits)[keyof typeof Awaits];

/** How long is read on after the connection was ended, so that the last frames are not lost to a reset, milliseconds. */
const LINGER_MS = 2000;

/** The one time that runs for an HTTP/2 connection as a whole; streams have their own. */
export class ConnectionTime {
  awaits: Awaited = Awaits.Nothing;
  readonly #deadline: Deadline;
  /** What the client had still to take when the time for it began. */
  #stalledBytes = 0;
  /** When the wait for the end began. */
  #endMs = 0;

  constructor(wheel: TimerWheel, target: { onDeadline(): void }) {
    this.#deadline = new Deadline(wheel, target);
  }

  /** From now on, unless it is for the same thing as before and goes on. */
  await(awaited: Awaited, timeouts: ServerSettings['timeouts']): void {
    if (awaited === this.awaits && awaited !== Awaits.Request) return;
    this.awaits = awaited;
    switch (awaited) {
      case Awaits.Nothing:
        this.#deadline.stop();
        break;
      case Awaits.Request:
        this.#deadline.start(timeouts.idle);
        break;
      case Awaits.Frame:
        this.#deadline.start(timeouts.requestHead);
        break;
      case Awaits.Room:
        this.#deadline.start(timeouts.send);
        break;
      case Awaits.End:
        this.#endMs = turnNowMs();
        this.#deadline.start(LINGER_MS);
        break;
    }
  }

  /** The client takes nothing: it has its time. */
  awaitRoom(waitingBytes: number, timeouts: ServerSettings['timeouts']): void {
    this.#stalledBytes = waitingBytes;
    this.awaits = Awaits.Nothing;
    this.await(Awaits.Room, timeouts);
  }

  /** The time for taking is over: whether the client took something all the same, and so gets more of it. */
  goesOn(waitingBytes: number, timeouts: ServerSettings['timeouts']): boolean {
    if (waitingBytes >= this.#stalledBytes) return false;
    this.awaitRoom(waitingBytes, timeouts);
    return true;
  }

  /**
   * The client still sends behind the end: windows that it opens, so it still takes what the kernel holds for it, and a close would be a
   * reset that throws the rest away. It has that time anew, up to the one for taking.
   */
  lingerOn(timeouts: ServerSettings['timeouts']): void {
    if (this.awaits === Awaits.End && turnNowMs() - this.#endMs < timeouts.send)
      this.#deadline.start(LINGER_MS);
  }

  cancel(): void {
    this.awaits = Awaits.Nothing;
    this.#deadline.cancel();
  }
}
