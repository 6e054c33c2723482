import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { codeOf, isAbandoned, readIfThere, uniqueSuffix } from './shared-files.ts';

/** Whether a process of this machine lives. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** The right to order a certificate, among all processes and machines that share a directory: a file for each order under way. */
export class OrderLocks {
  readonly #directory: string;
  /** Tells us from a process that had our number before a restart. */
  readonly #self = uniqueSuffix();

  /** @param directory Of the certificates. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * False when another has it. Who dies with it loses it: at once on the same machine, otherwise after a while.
   * @throws Error of the file system.
   */
  take(name: string, nowMs: number): boolean {
    const file = this.#file(name);
    if (isAbandoned(file, nowMs) || this.#isOrphan(file)) rmSync(file, { force: true });
    let lock: number;
    try {
      lock = openSync(file, 'wx', 0o600);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    try {
      writeFileSync(lock, `${hostname()} ${process.pid} ${this.#self}\n`);
      return true;
    } catch (error) {
      // On a full disk there would be a lock of nobody now.
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(lock);
    }
  }

  /** Its owner was a process of this machine that is gone. */
  #isOrphan(file: string): boolean {
    const [host, number, self] = readIfThere(file)?.trim().split(' ') ?? [];
    if (host !== hostname() || self === undefined) return false;
    const pid = Number(number);
    return pid === process.pid ? self !== this.#self : !lives(pid);
  }

  release(name: string): void {
    rmSync(this.#file(name), { force: true });
  }

  #file(name: string): string {
    return join(this.#directory, `${name}.lock`);
  }
}
