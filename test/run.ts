/**
 * `npm test`: runs the suites one after another, each in a process of its own, and ends with every test that failed
 * and the line `N passed, N failed`. A file with real processes that failed runs once more, alone: a machine that
 * stalls is not a defect. What passes then is listed as UNSTEADY, for somebody to look into. `npm test -- fast` leaves out the suites with real processes; `npm test -- PATH...` runs only
 * the tests under these paths. The exit code is 1 when a test failed, a suite crashed or nothing ran.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { countJunit, failedTests, type Counts, type FailedTest } from './support/junit.ts';

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
/** More files that fail than these are no accident: none is run again. */
const MOST_AGAIN = 4;
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

interface Outcome extends Counts {
  readonly failures: readonly FailedTest[];
}

async function runSuite(suite: Suite, reportFolder: string): Promise<Outcome> {
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
  const xml = (await file.exists()) ? await file.text() : '';
  const outcome = { ...countJunit(xml), failures: failedTests(xml) };
  // A crash, a file that does not load, or a suite without tests counts as a failure even when no test says so.
  if (outcome.failed > 0 || (code === 0 && outcome.passed + outcome.skipped > 0)) return outcome;
  const message = `the runner ended with code ${code} and no failed test`;
  return { ...outcome, failed: 1, failures: [{ file: suite.name, line: 0, name: '', message }] };
}

/** Runs the files of `outcome` that failed once more, and gives the tests of those that pass now. */
async function runAgain(suite: Suite, outcome: Outcome, reportFolder: string): Promise<FailedTest[]> {
  const files = [...new Set(outcome.failures.map(({ file }) => file))];
  const known = files.every((file) => suite.files.includes(file));
  if (suite.name === 'fast' || !known || files.length > MOST_AGAIN) return [];
  const unsteady = new Set<string>();
  for (const file of files) {
    const again = await runSuite({ ...suite, name: `${suite.name}-again`, files: [file] }, reportFolder);
    if (again.failed === 0) unsteady.add(file);
  }
  return outcome.failures.filter(({ file }) => unsteady.has(file));
}

function tell(word: string, failures: Iterable<FailedTest>): void {
  for (const { file, line, name, message } of failures)
    process.stdout.write(`\n${word} ${file}:${line} ${name}\n${message.replaceAll(/^/gm, '  ')}\n`);
}

const reportFolder = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = new Set<FailedTest>();
const unsteady: FailedTest[] = [];
const suites = chosen(testFiles(), process.argv.slice(2));
for (const suite of suites) {
  const outcome = await runSuite(suite, reportFolder);
  for (const failed of outcome.failures) failures.add(failed);
  const passedNow = await runAgain(suite, outcome, reportFolder);
  for (const failed of passedNow) failures.delete(failed);
  unsteady.push(...passedNow);
  total.passed += outcome.passed + passedNow.length;
  total.failed += outcome.failed - passedNow.length;
  total.skipped += outcome.skipped;
}
rmSync(reportFolder, { recursive: true });
if (suites.length === 0) {
  process.stdout.write(`No test file found; test/ has: ${readdirSync(join(root, 'test')).join(', ')}\n`);
}
tell('UNSTEADY', unsteady);
tell('FAILED', failures);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
