import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import type { NamedFile } from '../schema/tls.ts';
import type { Report } from './report.ts';

/** What reading a file came to: its bytes, one character each, or what is wrong with it. */
export type FileRead =
  | { readonly ok: true; readonly content: string }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/** Reads a file that the configuration names; a path that is not absolute is beside the configuration. */
export type ReadFile = (path: string) => FileRead;

/**
 * Fills in what the file holds. Returns whether it could be read; what is wrong is reported.
 * @param named undefined where the file is optional and not named, or its name is wrong
 */
export function fill(
  named: Draft<NamedFile> | undefined,
  at: Path,
  report: Report,
  readFile: ReadFile,
): named is NamedFile {
  if (named?.path === undefined) return false;
  const read = readFile(named.path);
  if (!read.ok) {
    const { message, hint } = read;
    const problem = `${JSON.stringify(named.path)}: ${message}`;
    report.error({ code: 'reference', at, message: problem, ...(hint === undefined ? {} : { hint }) });
    return false;
  }
  (named as NamedFile).content = read.content;
  return true;
}
