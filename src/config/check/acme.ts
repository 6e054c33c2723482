import type { Draft } from '../draft.ts';
import type { Config } from '../schema/config.ts';
import type { Report } from './report.ts';

/**
 * Automatic certificates that could not be kept. A warning, as whoever checks need not be the user that Pointsman runs as, and what the
 * storage has can be served all the same.
 * @param storageProblem what would keep us from writing into a directory, undefined for nothing
 */
export function checkAcme(
  { acme }: Draft<Config>,
  report: Report,
  storageProblem: (directory: string) => string | undefined,
): void {
  const problem = acme?.storage === undefined ? undefined : storageProblem(acme.storage);
  if (problem === undefined) return;
  const message = `certificates cannot be stored in ${JSON.stringify(acme!.storage)}: ${problem}`;
  const hint = 'name a directory that Pointsman may write: acme: { storage: ... }';
  const at = report.written(['acme', 'storage']) ? ['acme', 'storage'] : ['acme'];
  report.warning({ code: 'risky', at, message, hint });
}
