import type { FromWorker, ToWorker } from './messages.ts';
import { ServingWorker, type Start } from './serving-worker.ts';

/** One worker process: takes what the supervisor tells, message by message in their order. */
export class Worker {
  readonly #tell: (message: FromWorker) => void;
  #serving: ServingWorker | undefined = undefined;
  /** Messages wait for the one before them. */
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** @param tell Sends to the supervisor. */
  constructor(tell: (message: FromWorker) => void) {
    this.#tell = tell;
  }

  onMessage(message: ToWorker): void {
    // Most are done at once; only what has to wait for something makes others wait.
    if (this.#waiting === 0) {
      const pending = this.#handle(message);
      if (pending === undefined) return;
      this.#waiting++;
      this.#queue = pending.finally(() => this.#waiting--);
      return;
    }
    this.#waiting++;
    this.#queue = this.#queue.then(() => this.#handle(message)).finally(() => this.#waiting--);
  }

  #handle(message: ToWorker): Promise<void> | undefined {
    return message.type === 'start' ? this.#start(message) : this.#serving?.handle(message);
  }

  async #start(message: Start): Promise<void> {
    try {
      this.#serving = new ServingWorker(message, this.#tell);
      await this.#serving.begin(message);
    } catch (error) {
      this.#tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The supervisor is gone. */
  async orphaned(): Promise<void> {
    if (this.#serving === undefined) process.exit(1);
    await this.#serving.orphaned();
  }

  /** Something of ours threw where nobody expected it. */
  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.#serving === undefined) process.stderr.write(`pointsman worker: ${text}\n`);
    else this.#serving.onDefect(text);
  }
}
