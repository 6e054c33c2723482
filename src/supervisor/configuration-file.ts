import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';

/**
 * Replaces a file by a whole new one, with the owner and rights of the old: whoever reads it sees all of one or all of the other, also
 * when the disk is full. A symbolic link stays one.
 * @param expected What the file says; when it has been changed meanwhile nothing is written.
 * @throws Error of the file system, or saying that the file was changed.
 */
export async function replaceFile(path: string, expected: string, text: string): Promise<void> {
  const file = await realpath(path);
  const fresh = `${file}.${randomBytes(6).toString('hex')}.new`;
  const { mode, uid, gid } = await stat(file);
  try {
    const handle = await open(
      fresh,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      mode & 0o7777,
    );
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(fresh, mode & 0o7777);
    if (process.getuid?.() === 0) await chown(fresh, uid, gid);
    if ((await readFile(file, 'utf8')) !== expected)
      throw new Error('the file was changed by somebody else meanwhile');
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
