import { createPrivateKey } from 'node:crypto';

import { certificatesOf } from '../../util/certificates.ts';
import { storedFiles } from '../stored-files.ts';
import type { NamedFile } from '../schema/tls.ts';

/** A certificate of the storage and its key. */
export interface StoredFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
}

/**
 * What the storage of automatic certificates has under `name`. Both files or none: a pair that does not fit is like none, for it will be
 * replaced.
 * @param read gives what a file holds, undefined when it cannot be read
 */
export function readStored(
  storage: string,
  name: string,
  read: (path: string) => string | undefined,
): StoredFiles | undefined {
  const files = storedFiles(storage, name);
  const cert = read(files.cert);
  const key = read(files.key);
  if (cert === undefined || key === undefined || !isPair(cert, key)) return undefined;
  return { cert: { path: files.cert, content: cert }, key: { path: files.key, content: key } };
}

function isPair(cert: string, key: string): boolean {
  try {
    return certificatesOf(cert)[0]?.checkPrivateKey(createPrivateKey(key)) === true;
  } catch {
    return false;
  }
}
