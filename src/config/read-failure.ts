const WORDS: Readonly<Record<string, { readonly message: string; readonly hint?: string }>> = {
  ENOENT: { message: 'there is no such file' },
  ENOTDIR: { message: 'a part of this path is not a directory' },
  EACCES: { message: 'the file may not be read', hint: 'check its owner and mode' },
  EPERM: { message: 'the file may not be read', hint: 'check its owner and mode' },
  ELOOP: { message: 'symbolic links go round in circles' },
};

/** Words for an error of the file system. */
export function readFailure(error: unknown): { readonly message: string; readonly hint?: string } {
  const { code = '' } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? { message: error instanceof Error ? error.message : String(error) };
}
