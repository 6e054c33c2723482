import { join } from 'node:path';

/** Where the storage of `acme` has a certificate and its key. `name` is the first of its names. */
export function storedFiles(storage: string, name: string): { readonly cert: string; readonly key: string } {
  const directory = join(storage, 'certificates', name);
  return { cert: join(directory, 'certificate.pem'), key: join(directory, 'key.pem') };
}
