import { test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { testWith, whichProgram } from './programs.ts';

/** Whether one process may trace another that is not its child: containers and kernel.yama.ptrace_scope may forbid it. */
function mayTrace(): boolean {
  const script = 'sleep 0.2 & (strace -o /dev/null -e trace=none -p $!)';
  return Bun.spawnSync(['sh', '-c', script], { stderr: 'ignore' }).exitCode === 0;
}

function testWithFaults(): typeof test {
  if (whichProgram('strace') === undefined || mayTrace()) return testWith('strace');
  process.stderr.write('skipped, strace may not attach to other processes here\n');
  return test.skip;
}

/** `test` for who injects faults, or `test.skip` with a printed reason where that cannot be done. */
export const faultTest: typeof test = testWithFaults();

/**
 * A system call that fails in a process that runs: what happens when something of the machine is used up. By strace(1), which lets go of the
 * process at the end and leaves it as it was.
 */
export class InjectedFault {
  readonly #tracer: Bun.Subprocess<'ignore', 'ignore', 'pipe'>;

  readonly #directory: string;
  readonly #file: string;
  #ended = false;

  private constructor(tracer: Bun.Subprocess<'ignore', 'ignore', 'pipe'>, directory: string, file: string) {
    this.#tracer = tracer;
    this.#directory = directory;
    this.#file = file;
  }

  /** How often it has happened so far. */
  get count(): number {
    return readFileSync(this.#file, 'utf8').split('(INJECTED)').length - 1;
  }

  /**
   * @param call One system call, or several with commas between.
   * @param error Name of the error, such as `ENOMEM`.
   * @param path Only what is done with this file; left out, everything.
   */
  static async begin(pid: number, call: string, error: string, path?: string): Promise<InjectedFault> {
    const directory = mkdtempSync(join(tmpdir(), 'pointsman-fault-'));
    const file = join(directory, 'calls');
    const options = ['-f', '-o', file, '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}`];
    if (path !== undefined) options.push('-P', path);
    const tracer = Bun.spawn(['strace', ...options, '-p', String(pid)], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    });
    const attached = Promise.withResolvers<void>();
    // Read to its end: it tells of every thread that begins later as well, and would die where nobody listens.
    void (async () => {
      let said = '';
      const decoder = new TextDecoder();
      for await (const piece of tracer.stderr) {
        said += decoder.decode(piece, { stream: true });
        if (said.includes('attached')) attached.resolve();
      }
      attached.reject(new Error(`strace: ${said}`));
    })();
    await attached.promise;
    return new InjectedFault(tracer, directory, file);
  }

  /** Lets the calls succeed again. An error when they did already, because strace had ended by itself. */
  async end(): Promise<void> {
    const lasted = this.#ended || (this.#tracer.exitCode === null && this.#tracer.signalCode === null);
    this.#ended = true;
    this.#tracer.kill('SIGTERM');
    await this.#tracer.exited;
    rmSync(this.#directory, { recursive: true, force: true });
    if (!lasted)
      throw new Error(`strace ended by itself: ${this.#tracer.signalCode ?? this.#tracer.exitCode}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
