import { Deadline, type Timed, type TimerWheel } from './timer-wheel.ts';

/** A receiver for whom something waits, and how long it may take none of it. */
export class Stall implements Timed {
  readonly #receiver: { readonly bufferedBytes: number };
  readonly #limitMs: number;
  readonly #onStalled: () => void;
  readonly #deadline: Deadline;
  #leftBytes = 0;

  constructor(
    wheel: TimerWheel,
    receiver: { readonly bufferedBytes: number },
    limitMs: number,
    onStalled: () => void,
  ) {
    this.#receiver = receiver;
    this.#limitMs = limitMs;
    this.#onStalled = onStalled;
    this.#deadline = new Deadline(wheel, this);
  }

  /** Something waits from now on. */
  begin(): void {
    this.#leftBytes = this.#receiver.bufferedBytes;
    this.#deadline.start(this.#limitMs);
  }

  /** All was taken. */
  stop(): void {
    this.#deadline.stop();
  }

  cancel(): void {
    this.#deadline.cancel();
  }

  onDeadline(): void {
    const { bufferedBytes } = this.#receiver;
    if (bufferedBytes === 0) return;
    if (bufferedBytes === this.#leftBytes) this.#onStalled();
    else this.begin();
  }
}
