import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Owns everything that a run leaves on the machine: one temporary directory and the processes it started.
 * `close` removes all of it; it also runs on SIGINT, SIGTERM and when the process ends for any reason but SIGKILL.
 */
export class Workspace {
  readonly #directory = mkdtempSync(join(tmpdir(), 'pointsman-bench-'));
  readonly #children = new Set<Bun.Subprocess>();
  #files = 0;

  constructor() {
    // Workers of nginx run as another user and read files in here.
    chmodSync(this.#directory, 0o755);
    process.once('exit', () => this.close());
    process.once('SIGINT', () => process.exit(130));
    process.once('SIGTERM', () => process.exit(143));
  }

  /** Writes a file of our own and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    writeFileSync(path, content);
    return path;
  }

  /** A path that no other call returns. */
  path(name: string): string {
    return join(this.#directory, `${this.#files++}-${name}`);
  }

  /** Starts a process that runs until `stop` or `close`; what it prints goes to a file that `errorsOf` reads. */
  start(command: readonly string[]): Daemon {
    const logPath = this.path('output.log');
    const log = openSync(logPath, 'w');
    const child = Bun.spawn([...command], { stdin: 'ignore', stdout: log, stderr: log, detached: true });
    closeSync(log);
    this.#adopt(child);
    return { child, printed: () => readFileSync(logPath, 'utf8').trim() };
  }

  /** Runs a command to its end and returns what it printed; throws on an exit code other than 0 or after `timeoutMs`. */
  async run(command: readonly string[], timeoutMs: number): Promise<string> {
    const child = Bun.spawn([...command], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      detached: true,
    });
    this.#adopt(child);
    const timer = setTimeout(() => this.stop(child), timeoutMs);
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}\n${stderr.trim()}`);
    return stdout;
  }

  /** Starts a helper that we talk with over its standard input and output. */
  converse(command: readonly string[]): Bun.Subprocess<'pipe', 'pipe', 'inherit'> {
    const child = Bun.spawn([...command], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
      detached: true,
    });
    this.#adopt(child);
    return child;
  }

  /** Ends a process with all of its group, at once. */
  stop(child: Bun.Subprocess): void {
    this.#children.delete(child);
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The whole group has ended already.
    }
  }

  /** Ends every process and removes the directory. Calling it twice is harmless. */
  close(): void {
    for (const child of this.#children) this.stop(child);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #adopt(child: Bun.Subprocess): void {
    this.#children.add(child);
    // A leader that ended by itself may leave members of its group behind.
    void child.exited.then(() => this.stop(child));
  }
}

/** A process that runs until it is stopped. */
export interface Daemon {
  readonly child: Bun.Subprocess;
  /** What it printed so far, for error messages. */
  printed(): string;
}
