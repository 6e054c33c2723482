import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ConfigInput } from '../../src/config/schema/config.ts';
import type { HostPort } from './wire.ts';

const ROOT = join(import.meta.dir, '../..');
/** What is started unless a test says otherwise. */
export const PROGRAM = join(ROOT, 'bin/pointsman');
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 30_000;

/** A configuration for tests: one worker, so that turns are in order, and admin on a free port, unless it says otherwise. */
export type TestConfig = Omit<ConfigInput, 'admin'> & { readonly admin?: ConfigInput['admin'] };

const CONFIG_FILE = 'pointsman.json';

function writeConfig(file: string, config: TestConfig): void {
  writeFileSync(file, JSON.stringify({ workers: 1, admin: { address: '127.0.0.1:0' }, ...config }));
}

/** A process and its children: the supervisor and its workers. */
function familyOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return [
      pid,
      ...children
        .trim()
        .split(/\s+/)
        .filter(Boolean)
        .flatMap((child) => familyOf(Number(child))),
    ];
  } catch {
    return [];
  }
}

function residentBytes(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  // utime and stime, in ticks of 1/100 s.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Addresses by listener name, from start-up lines in text or JSON, whatever the order of the fields. */
function listeningAddresses(log: string): Map<string, HostPort> {
  const found = new Map<string, HostPort>();
  for (const line of log.split('\n')) {
    if (!line.includes('listening')) continue;
    const listener =
      /\blistener["']?[=:]\s*["']?([\w.-]+)/.exec(line)?.[1] ?? /\b([\w.-]+) listening on\b/.exec(line)?.[1];
    const address = /(?:address["']?[=:]\s*["']?|listening on )(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d+)/.exec(
      line,
    );
    const host = address?.[1] ?? address?.[2];
    if (listener === undefined || address === null || host === undefined) continue;
    found.set(listener, { host, port: Number(address[3]) });
  }
  return found;
}

/** The real program in a process of its own. */
export class Pointsman {
  readonly pid: number;
  readonly #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #directory: string;
  readonly #onExit: () => void;
  #logs = '';
  #addresses = new Map<string, HostPort>();

  constructor(directory: string, args: readonly string[], options: StartOptions) {
    this.#directory = directory;
    const program = [options.program ?? PROGRAM, ...args];
    const before = [
      ...(options.openFiles === undefined ? [] : [`ulimit -n ${options.openFiles}`]),
      // The process that is to take the sockets must be named: it is this shell, until it is replaced.
      ...(options.activated === undefined
        ? []
        : [`export LISTEN_PID=$$ LISTEN_FDS=${options.activated.length}`]),
    ];
    const shell = ['sh', '-c', [...before, 'exec "$@"'].join('; '), 'sh', ...program];
    this.#process = Bun.spawn(before.length === 0 ? program : shell, {
      cwd: directory,
      env: {
        ...process.env,
        ...options.env,
        ...(options.sockets === undefined ? {} : { POINTSMAN_SOCKETS: options.sockets }),
      },
      // A group of its own, so that a signal can be sent to all of it, as a terminal does.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(options.activated ?? [])],
    });
    this.pid = this.#process.pid;
    void this.#read(this.#process.stdout);
    void this.#read(this.#process.stderr);
    this.#onExit = () => this.#process.kill('SIGKILL');
    process.on('exit', this.#onExit);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#logs += decoder.decode(chunk, { stream: true });
      if (this.#addresses.size === 0 || this.#logs.length < 100_000) {
        this.#addresses = listeningAddresses(this.#logs);
      }
    }
  }

  /** Waits for the start-up lines of all `names`. */
  async started(names: readonly string[]): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!names.every((name) => this.#addresses.has(name))) {
      if (this.#process.exitCode !== null) {
        throw new Error(`Pointsman ended with ${this.#process.exitCode}:\n${this.#logs}`);
      }
      if (performance.now() > deadline) throw new Error(`Pointsman did not start:\n${this.#logs}`);
      await Bun.sleep(5);
    }
  }

  /** Where a listener listens. Without a name: the only one. */
  address(listener?: string): HostPort {
    const name = listener ?? [...this.#addresses.keys()].find((key) => key !== 'admin') ?? '';
    const address = this.#addresses.get(name);
    if (address === undefined) throw new Error(`no listener "${name}" in\n${this.#logs}`);
    return address;
  }

  /** Base URL of the admin listener. */
  get admin(): string {
    const { host, port } = this.address('admin');
    return `http://${host}:${port}`;
  }

  /** Everything that it printed. */
  logs(): string {
    return this.#logs;
  }

  /** Processes that carry traffic. */
  get workerPids(): number[] {
    return familyOf(this.pid).slice(1);
  }

  /** Of all its processes. */
  rssBytes(): number {
    return sum(familyOf(this.pid).map(residentBytes));
  }

  /** Of its first worker. The supervisor grows by itself for a while after the start, and carries no traffic. */
  workerRssBytes(): number {
    return residentBytes(this.workerPids[0] ?? 0);
  }

  /** Seconds of CPU time of all its processes so far. */
  cpuSeconds(): number {
    return sum(familyOf(this.pid).map(cpuSecondsOf));
  }

  /** Open files of all its processes, connections among them. */
  openFiles(): number {
    return sum(familyOf(this.pid).map((pid) => readdirSync(`/proc/${pid}/fd`).length));
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** To all its processes, as Ctrl-C in a terminal or a service manager does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Its configuration file. */
  get file(): string {
    return join(this.#directory, CONFIG_FILE);
  }

  /** Lines of the log with one of these events. */
  lines(...events: readonly string[]): string[] {
    return this.#logs.split('\n').filter((line) => events.includes(line.split(/\s+/)[2] ?? ''));
  }

  /** Waits for a line of this event that comes after `count` others; returns it. */
  async line(event: string, count = 0): Promise<string> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const line = this.lines(event)[count];
      if (line !== undefined) return line;
      if (performance.now() > deadline) throw new Error(`no ${event} in\n${this.#logs}`);
      await Bun.sleep(2);
    }
  }

  /** Gives it another configuration, asks for a reload and waits for the line that says what became of it. */
  async reload(config: TestConfig): Promise<string> {
    const before = this.lines('reloaded', 'reload-refused').length;
    writeConfig(this.file, config);
    this.signal('SIGHUP');
    return this.reloads(before + 1);
  }

  /** Waits until it has told of so many reloads since its start; what it said of the last. */
  async reloads(count: number): Promise<string> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const line = this.lines('reloaded', 'reload-refused')[count - 1];
      if (line !== undefined) return line;
      if (performance.now() > deadline || !this.running) throw new Error(`no reload in\n${this.#logs}`);
      await Bun.sleep(2);
    }
  }

  /** Waits for the end; the exit code, or 128 when a signal ended it. */
  async exited(timeoutMs = STOP_TIMEOUT_MS): Promise<number> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), timeoutMs);
    await this.#process.exited;
    clearTimeout(timer);
    process.off('exit', this.#onExit);
    rmSync(this.#directory, { recursive: true, force: true });
    return this.#process.exitCode ?? 128;
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.running) this.#process.kill(signal);
    return this.exited();
  }

  /** The quick way, for tests that are about something else than stopping. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

export interface StartOptions {
  /** Files that the process may have open. Default: what the test may. */
  readonly openFiles?: number;
  /** Another way to the program. */
  readonly program?: string;
  /** Descriptors that it is started with from 3 on, as systemd does. */
  readonly activated?: readonly number[];
  /** Further environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Which sockets carry traffic. Default: descriptors where there are any. */
  readonly sockets?: 'runtime';
}

/** Starts Pointsman on a configuration and waits until everything listens. */
export async function startPointsman(config: TestConfig, options: StartOptions = {}): Promise<Pointsman> {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
  const file = join(directory, CONFIG_FILE);
  writeConfig(file, config);
  const pointsman = new Pointsman(directory, ['run', '-c', file], options);
  const names = config.listeners.map(({ name }) => name);
  try {
    await pointsman.started(config.admin === false ? names : [...names, 'admin']);
  } catch (error) {
    await pointsman.stop('SIGKILL');
    throw error;
  }
  return pointsman;
}
