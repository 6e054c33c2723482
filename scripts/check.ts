/** `npm run check`: everything about the sources that can be judged without running the tests. */
import { availableParallelism } from 'node:os';

const root = new URL('..', import.meta.url).pathname;
const bin = `${root}node_modules/.bin/`;

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

interface Result {
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: number;
}

// The slow ones first, so that the others fill the gaps.
const steps: readonly Step[] = [
  { name: 'lint', command: [`${bin}oxlint`, '--type-aware', '--max-warnings=0'] },
  { name: 'types', command: [`${bin}tsc`, '-p', '.'] },
  { name: 'unused code', command: [`${bin}knip`, '--no-progress'] },
  { name: 'format', command: [`${bin}oxfmt`, '--check'] },
  ...((await Bun.file(`${root}scripts/gen.ts`).exists())
    ? [{ name: 'generated files', command: [process.execPath, 'scripts/gen.ts', '--check'] }]
    : []),
  { name: 'architecture', command: [process.execPath, 'test', './test/architecture.test.ts'] },
];

async function run(step: Step): Promise<Result> {
  const started = performance.now();
  const child = Bun.spawn([...step.command], { cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { passed: code === 0, output: stdout + stderr, seconds: (performance.now() - started) / 1000 };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const failed: string[] = [];
const waiting = [...steps];

async function work(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const result = await run(step);
    print(`${result.passed ? 'ok    ' : 'FAILED'} ${step.name} (${result.seconds.toFixed(1)} s)`);
    if (result.passed) continue;
    failed.push(step.name);
    print(result.output.trimEnd());
  }
}

await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work));
print(failed.length === 0 ? `check passed: ${steps.length} steps` : `check failed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
