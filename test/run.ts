/**
 * `npm test`: runs the suites one after another, each in a process of its own, and ends with the line
 * `N passed, N failed`. `npm test -- fast` leaves out the suites with real processes; `npm test -- PATH...` runs only
 * the tests under these paths. The exit code is 1 when a test failed, a suite crashed or nothing ran.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { countJunit, type Counts } from './support/junit.ts';

const root = new URL('..', import.meta.url).pathname;

interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** Of one test. */
  readonly timeoutMs: number;
}

/** Folders of test/ whose tests need no real processes. */
const FAST_FOLDERS = new Set(['contract', 'simulation', 'support']);
const FAST_TEST_MS = 20_000;
const SLOW_TEST_MS = 120_000;
/** A suite that takes longer hangs. */
const SUITE_MS = 20 * 60_000;

function testFiles(): string[] {
  const glob = new Bun.Glob('{src,test}/**/*.test.ts');
  return [...glob.scanSync({ cwd: root })].sort();
}

function suitesOf(files: readonly string[]): Suite[] {
  const byName = new Map<string, string[]>();
  for (const file of files) {
    const folder = /^test\/([^/]+)\//.exec(file)?.[1];
    const name = folder === undefined || FAST_FOLDERS.has(folder) ? 'fast' : folder;
    byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  return [...byName]
    .sort(([a], [b]) => Number(b === 'fast') - Number(a === 'fast') || a.localeCompare(b))
    .map(([name, members]) => ({
      name,
      files: members,
      timeoutMs: name === 'fast' ? FAST_TEST_MS : SLOW_TEST_MS,
    }));
}

function chosen(files: readonly string[], args: readonly string[]): Suite[] {
  if (args.length === 0) return suitesOf(files);
  if (args.length === 1 && args[0] === 'fast')
    return suitesOf(files).filter((suite) => suite.name === 'fast');
  const paths = args.map((arg) => arg.replace(/^\.\//, '').replace(/\/$/, ''));
  return suitesOf(files.filter((file) => paths.some((path) => file === path || file.startsWith(`${path}/`))));
}

async function runSuite(suite: Suite, reportFolder: string): Promise<Counts> {
  process.stdout.write(`\n== ${suite.name}: ${suite.files.length} files\n`);
  const report = join(reportFolder, `${suite.name}.xml`);
  const child = Bun.spawn(
    [
      process.execPath,
      'test',
      `--timeout=${suite.timeoutMs}`,
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      ...suite.files.map((file) => `./${file}`),
    ],
    { cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  );
  const watchdog = setTimeout(() => {
    process.stdout.write(`${suite.name}: killed after ${SUITE_MS / 60_000} minutes\n`);
    child.kill('SIGKILL');
  }, SUITE_MS);
  const code = await child.exited;
  clearTimeout(watchdog);
  const file = Bun.file(report);
  const counts = countJunit((await file.exists()) ? await file.text() : '');
  // A crash, a file that does not load, or a suite without tests counts as a failure even when no test says so.
  if (counts.failed > 0 || (code === 0 && counts.passed + counts.skipped > 0)) return counts;
  process.stdout.write(`${suite.name}: the runner ended with code ${code} and no failed test\n`);
  return { ...counts, failed: 1 };
}

const reportFolder = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const suites = chosen(testFiles(), process.argv.slice(2));
for (const suite of suites) {
  const counts = await runSuite(suite, reportFolder);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
rmSync(reportFolder, { recursive: true });
if (suites.length === 0) {
  process.stdout.write(`No test file found; test/ has: ${readdirSync(join(root, 'test')).join(', ')}\n`);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
