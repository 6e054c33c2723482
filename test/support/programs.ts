import { test } from 'bun:test';
import { readdirSync } from 'node:fs';

/**
 * `test`, or `test.skip` with a printed reason when one of these programs is not installed. On a build machine (CI=true)
 * a missing program is an error: there everything has to run.
 * @throws Error when a program is missing and CI is true.
 */
export function testWith(...programs: readonly string[]): typeof test {
  const missing = programs.filter((program) => whichProgram(program) === undefined);
  if (missing.length === 0) return test;
  const reason = `not installed: ${missing.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`skipped, ${reason}\n`);
  return test.skip;
}

/** Where a program lies; undefined when it is not installed. */
export function whichProgram(program: string): string | undefined {
  return Bun.which(program, { PATH: searchPath() }) ?? undefined;
}

const POSTGRES = '/usr/lib/postgresql';

/** Servers of Debian lie in sbin, which is not on the path of ordinary users, and those of PostgreSQL in a place of their own. */
function searchPath(): string {
  const versions = readdirSync('/usr/lib').includes('postgresql') ? readdirSync(POSTGRES) : [];
  const postgres = versions.map((version) => `:${POSTGRES}/${version}/bin`).join('');
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin${postgres}`;
}
