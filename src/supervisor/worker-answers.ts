import type { FromWorker } from './messages.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** What one worker still has to answer. */
interface Waiting {
  readonly slot: WorkerSlot;
  onAnswer(message: FromWorker): boolean;
  onDied(reason: string): void;
}

/** Who waits for which message of which worker. */
export class WorkerAnswers {
  #waiting: readonly Waiting[] = [];

  /** The next message of the worker that `is` the one; undefined when it dies before, an error if it must not (`vital`). */
  of(slot: WorkerSlot, is: (message: FromWorker) => boolean, vital = false): Promise<FromWorker | undefined> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      };
      const waiting: Waiting = {
        slot,
        onAnswer: (message) => {
          if (!is(message)) return false;
          done();
          resolve(message);
          return true;
        },
        onDied: (reason) => {
          done();
          if (vital) reject(new Error(reason));
          else resolve(undefined);
        },
      };
      this.#waiting = [...this.#waiting, waiting];
    });
  }

  /** A message has come; returns whether somebody waited for it. */
  onMessage(slot: WorkerSlot, message: FromWorker): boolean {
    let answered = false;
    for (const waiting of this.#waiting) {
      if (waiting.slot === slot) answered = waiting.onAnswer(message) || answered;
    }
    return answered;
  }

  /** The worker is gone, and answers nothing any more. */
  onDied(slot: WorkerSlot, reason: string): void {
    for (const waiting of this.#waiting) if (waiting.slot === slot) waiting.onDied(reason);
  }
}
