import { userInfo } from 'node:os';

const WORDS: Readonly<Record<string, { readonly message: string; readonly hint?: string }>> = {
  ENOENT: { message: 'there is no such file' },
  ENOTDIR: { message: 'a part of this path is not a directory' },
  ELOOP: { message: 'symbolic links go round in circles' },
};

/** Who we run as; a number where that user has no name. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** Words for an error of the file system. */
export function readFailure(error: unknown): { readonly message: string; readonly hint?: string } {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM')
    return { message: 'the file may not be read', hint: `user ${userName()} needs the right to` };
  return WORDS[code] ?? { message: error instanceof Error ? error.message : String(error) };
}
