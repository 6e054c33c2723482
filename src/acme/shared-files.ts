import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/*
 * Files in a directory that several processes and machines may share: each is replaced by renaming a whole new one over it, so a reader
 * never sees half of one.
 */

/** An order takes seconds, minutes at most: what is older than this belongs to nobody any more, milliseconds. */
const ABANDONED_MS = 15 * 60_000;

/** Code of an error of the file system; undefined of others. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** @throws Error of the file system, but not when the file is not there. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** A name that nobody else gives to a file. */
export function uniqueSuffix(): string {
  return randomBytes(6).toString('hex');
}

/** Only its owner can read it. @throws Error of the file system; what was there before is there still. */
export function writeWhole(file: string, content: string | Uint8Array): void {
  const fresh = `${file}.${uniqueSuffix()}.new`;
  try {
    writeFileSync(fresh, content, { mode: 0o600, flush: true });
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** Whether whoever made it must have died long ago. False when it is not there. */
export function isAbandoned(path: string, nowMs: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.mtimeMs < nowMs - ABANDONED_MS;
}
