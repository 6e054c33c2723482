import { test } from 'bun:test';

/**
 * `test`, or `test.skip` with a printed reason when one of these programs is not installed. On a build machine (CI=true)
 * a missing program is an error: there everything has to run.
 * @throws Error when a program is missing and CI is true.
 */
export function testWith(...programs: readonly string[]): typeof test {
  const missing = programs.filter((program) => Bun.which(program, { PATH: searchPath() }) === null);
  if (missing.length === 0) return test;
  const reason = `not installed: ${missing.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`skipped, ${reason}\n`);
  return test.skip;
}

/** Servers of Debian lie in sbin, which is not on the path of ordinary users. */
function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
}
