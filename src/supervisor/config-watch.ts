import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Log } from '../model/ports.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** Editors write in several steps: it is looked at when this long nothing has happened, milliseconds. */
const SETTLED_MS = 200;

/**
 * Watches files, the configuration and what it names (certificates, keys), each by its directory, so that it is seen when a file is
 * replaced (editors rename a new one over it) or a symbolic link on its way is turned (Kubernetes turns `..data` beside it). Only
 * another content counts.
 */
export class ConfigWatch {
  readonly #files: () => readonly string[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changed: () => void;
  /** By directory. */
  readonly #watchers = new Map<string, FSWatcher>();
  #stopped = false;
  #cancelTimer: CancelTimer = () => {};
  #hash: bigint | number | undefined = undefined;

  /**
   * @param files Asked for again after each change, for it may name others.
   * @param changed Called when the content of a file is another, also when it is nonsense.
   */
  constructor(files: () => readonly string[], clock: Clock, log: Log, changed: () => void) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    this.#changed = changed;
  }

  /** Starts; what the files say now counts as known. */
  async start(): Promise<void> {
    this.#hash = await this.#read();
    this.follow();
  }

  /** Watches where the files are now. */
  follow(): void {
    if (this.#stopped) return;
    const directories = new Set(this.#files().map((file) => dirname(file)));
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of directories) {
      if (this.#watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, () => this.#stirred());
        watcher.on('error', (error) => this.#failed(directory, error));
        this.#watchers.set(directory, watcher);
      } catch (error) {
        this.#failed(directory, error);
      }
    }
  }

  stop(): void {
    this.#cancelTimer();
    this.#stopped = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #failed(directory: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.error('watch-failed', { directory, reason });
  }

  #stirred(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(SETTLED_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const hash = await this.#read();
    // Gone for a moment while it is replaced, or for good: what is in force stays.
    if (hash === undefined || hash === this.#hash || this.#stopped) return;
    this.#hash = hash;
    this.#changed();
  }

  /** Of all files together; undefined when one of them cannot be read. */
  async #read(): Promise<bigint | number | undefined> {
    let hash: bigint | number = 0;
    try {
      for (const file of this.#files()) hash = Bun.hash(await readFile(file), hash);
      return hash;
    } catch {
      return undefined;
    }
  }
}
