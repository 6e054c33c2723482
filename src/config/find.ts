import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that are looked for when none is named, in this order. */
export const DEFAULT_FILES = [
  'pointsman.yaml',
  'pointsman.yml',
  'pointsman.json',
  'pointsman.config.ts',
] as const;

/** The first default file in `directory`, by its name alone; undefined when there is none. */
export async function findConfig(directory: string): Promise<string | undefined> {
  for (const file of DEFAULT_FILES) {
    try {
      await access(join(directory, file));
      return file;
    } catch {
      // Not this one.
    }
  }
  return undefined;
}
