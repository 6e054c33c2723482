import { lstatSync, unlinkSync } from 'node:fs';

/** Nobody but the user that runs us. */
const UMASK = 0o177;

/** How long a process may take to answer before it counts as alive all the same, milliseconds. */
const PATIENCE_MS = 1000;

/** Whether somebody listens on a socket file. */
async function isAlive(path: string): Promise<boolean> {
  try {
    await fetch('http://localhost/healthz', { unix: path, signal: AbortSignal.timeout(PATIENCE_MS) });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
  }
}

/**
 * Makes way for a unix socket: a file that a crash left behind is removed.
 * @throws Error when something else has that name, or a process that lives.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`admin: cannot listen on ${path}: there is a file that is no socket`);
  if (await isAlive(path)) throw new Error(`admin: cannot listen on ${path}: another process does`);
  unlinkSync(path);
}

/** Runs `bind` so that the socket file it makes is born with mode 0600: a chmod later would come too late. */
export function withPrivateMode<T>(bind: () => T): T {
  const before = process.umask(UMASK);
  try {
    return bind();
  } finally {
    process.umask(before);
  }
}
