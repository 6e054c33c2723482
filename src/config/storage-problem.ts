import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { readFailure, userName } from './read-failure.ts';

/** Undefined where there is nothing of this name. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * What would keep this user from making `directory` and writing into it, in words; undefined when nothing would. Nothing is made to find
 * it out: the nearest directory that there is has the say.
 * @param directory Absolute.
 */
export function storageProblem(directory: string): string | undefined {
  let nearest = directory;
  try {
    let found = statOf(nearest);
    while (found === undefined && dirname(nearest) !== nearest) {
      nearest = dirname(nearest);
      found = statOf(nearest);
    }
    const name = JSON.stringify(nearest);
    if (found?.isDirectory() !== true) return `${name} is not a directory`;
    const user = process.geteuid?.();
    // Only its owner can keep others from reading it.
    if (nearest === directory && user !== 0 && found.uid !== user)
      return `${name} does not belong to user ${userName()}`;
    accessSync(nearest, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return `user ${userName()} may not write ${JSON.stringify(nearest)}`;
    if (code === 'EROFS') return `${JSON.stringify(nearest)} is on a file system that is read-only`;
    return readFailure(error).message;
  }
}
