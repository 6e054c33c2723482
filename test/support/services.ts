import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { whichProgram } from './programs.ts';

/** Debian's user for what needs no rights, uid and gid: PostgreSQL does not run as root. */
const NOBODY = 65_534;
const START_TIMEOUT_MS = 30_000;

/** A server from Debian's packages in a process of its own, with a directory of its own. */
export class ServiceProcess {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'pointsman-service-'));
  #child: Bun.Subprocess | undefined;
  readonly #onExit: () => void = () => this.#child?.kill('SIGKILL');

  constructor() {
    process.on('exit', this.#onExit);
  }

  /** Starts it; one that runs is ended first. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.kill();
    this.#child = Bun.spawn([...command], {
      cwd: this.directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Ends it without a chance to say goodbye. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.kill(signal);
    await child?.exited;
  }

  /** Ends it and removes its directory. */
  async close(): Promise<void> {
    await this.kill();
    process.off('exit', this.#onExit);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs `probe` until it gives true. */
export async function untilTrue(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await Bun.sleep(20);
  }
}

/** Whether a command ends well. */
export async function succeeds(...command: readonly string[]): Promise<boolean> {
  const child = Bun.spawn([...command], { stdio: ['ignore', 'ignore', 'ignore'] });
  return (await child.exited) === 0;
}

/** A Redis on a port of 127.0.0.1. Only `start` starts it. */
export class RedisServer extends ServiceProcess {
  readonly port: number;

  constructor(port: number) {
    super();
    this.port = port;
  }

  async start(...options: readonly string[]): Promise<void> {
    const program = whichProgram('redis-server')!;
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--dir', this.directory];
    await this.run([program, ...own, ...options]);
    await untilTrue('redis', async () => (await this.say('PING')) !== '');
  }

  /** What it answers to an inline command; empty when it cannot be reached. */
  async say(...commands: readonly string[]): Promise<string> {
    const answer = Promise.withResolvers<string>();
    let received = '';
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: this.port,
      socket: {
        data(_socket, bytes) {
          received += bytes.toString('latin1');
          if (received.split('\r\n').length > commands.length) answer.resolve(received);
        },
        close: () => answer.resolve(received),
        error: () => answer.resolve(''),
      },
    }).catch(() => undefined);
    if (socket === undefined) return '';
    socket.write(commands.map((command) => `${command}\r\n`).join(''));
    const said = await answer.promise;
    socket.end();
    return said;
  }
}

/** A PostgreSQL with an empty cluster on a port of 127.0.0.1; role `postgres` without a password. Only `start` starts it. */
export class PostgresServer extends ServiceProcess {
  readonly port: number;
  #made = false;

  constructor(port: number) {
    super();
    this.port = port;
  }

  get data(): string {
    return join(this.directory, 'data');
  }

  /** As another user than root, whom it refuses. */
  #as(command: readonly string[]): string[] {
    if (process.getuid?.() !== 0) return [...command];
    chownSync(this.directory, NOBODY, NOBODY);
    return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command];
  }

  async #make(): Promise<void> {
    if (this.#made) return;
    this.#made = true;
    const initdb = [whichProgram('initdb')!, '--no-sync', '-A', 'trust', '-U', 'postgres', '-D', this.data];
    if (!(await succeeds(...this.#as(initdb)))) throw new Error('initdb failed');
  }

  /** Starts it and waits until it listens. */
  async start(...settings: readonly string[]): Promise<void> {
    await this.#make();
    const own = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', ...settings];
    const options = own.flatMap((setting) => ['-c', setting]);
    const program = whichProgram('postgres')!;
    await this.run(this.#as([program, '-D', this.data, '-p', String(this.port), ...options]));
    const isReady = whichProgram('pg_isready')!;
    await untilTrue('postgres', async () => {
      const child = Bun.spawn([isReady, '-q', '-h', '127.0.0.1', '-p', String(this.port)]);
      // 0: takes sessions; 1: refuses them, as while starting up.
      return (await child.exited) <= 1;
    });
  }

  /** Puts an empty file into its data. */
  touch(name: string): void {
    const path = join(this.data, name);
    writeFileSync(path, '');
    if (process.getuid?.() === 0) chownSync(path, NOBODY, NOBODY);
  }
}
