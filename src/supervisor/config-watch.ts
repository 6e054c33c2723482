import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Log } from '../model/ports.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** Editors write in several steps: it is looked at when this long nothing has happened, milliseconds. */
const SETTLED_MS = 200;

/**
 * Watches a file by its directory, so that it is seen when the file is replaced (editors rename a new one over it) or a symbolic link
 * on its way is turned (Kubernetes turns `..data` beside it). Only another content counts.
 */
export class ConfigWatch {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changed: () => void;
  #watcher: FSWatcher | undefined = undefined;
  #cancelTimer: CancelTimer = () => {};
  #hash: bigint | number | undefined = undefined;

  /** @param changed Called when the content of the file is another, also when it is nonsense. */
  constructor(file: string, clock: Clock, log: Log, changed: () => void) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#changed = changed;
  }

  /** Starts; what the file says now counts as known. */
  async start(): Promise<void> {
    this.#hash = await this.#read();
    try {
      this.#watcher = watch(dirname(this.#file), () => this.#stirred());
      this.#watcher.on('error', (error) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  stop(): void {
    this.#cancelTimer();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.error('watch-failed', { file: this.#file, reason });
  }

  #stirred(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(SETTLED_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const hash = await this.#read();
    // Gone for a moment while it is replaced, or for good: what is in force stays.
    if (hash === undefined || hash === this.#hash || this.#watcher === undefined) return;
    this.#hash = hash;
    this.#changed();
  }

  async #read(): Promise<bigint | number | undefined> {
    try {
      return Bun.hash(await readFile(this.#file));
    } catch {
      return undefined;
    }
  }
}
