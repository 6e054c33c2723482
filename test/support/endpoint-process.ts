import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from './free-ports.ts';

/**
 * How an endpoint behaves: `hang` reads requests and never answers, not even probes; `error` answers 500; `reset` sends a
 * RST instead of an answer; `cut` closes and `reset-body` resets in the middle of an answer; `slow` answers after 150 ms;
 * `refuse` closes all connections and takes no new ones. All but `hang` and `refuse` answer `/health` as ever.
 */
export type Behaviour = 'ok' | 'hang' | 'error' | 'reset' | 'cut' | 'reset-body' | 'slow' | 'refuse';

/** An endpoint in a process of its own, on one port for all its lives. */
export class EndpointProcess {
  readonly name: string;
  readonly address: string;
  readonly #port: number;
  readonly #log: string;
  #child: Bun.Subprocess | undefined;
  #done: (() => void) | undefined;

  constructor(name: string, port: number, directory: string) {
    this.name = name;
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
    this.#log = join(directory, `${name}.log`);
  }

  #whenDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  /** Starts the process and waits until it listens. */
  async start(): Promise<void> {
    const listening = this.#whenDone();
    const program = join(import.meta.dir, 'endpoint-main.ts');
    this.#child = Bun.spawn([process.execPath, program, this.name, String(this.#port), this.#log], {
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: () => this.#done?.(),
    });
    await listening;
  }

  /** Tells it how to behave from now on, and waits until it does. */
  async behave(behaviour: Behaviour): Promise<void> {
    const done = this.#whenDone();
    this.#child?.send(behaviour);
    await done;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it without a chance to say goodbye. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#child?.exited;
  }

  /** A line for every request whose head it has read, in all its lives: method and id. */
  taken(): string[] {
    try {
      return readFileSync(this.#log, 'utf8').split('\n').filter(Boolean);
    } catch {
      return [];
    }
  }
}

export interface EndpointProcesses extends AsyncDisposable {
  readonly all: readonly EndpointProcess[];
}

/** Starts `count` endpoints named a, b, c... */
export async function startEndpoints(count: number): Promise<EndpointProcesses> {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-endpoints-'));
  const ports = await freePorts(count);
  const all = ports.map(
    (port, index) => new EndpointProcess(String.fromCodePoint(97 + index), port, directory),
  );
  await Promise.all(all.map((endpoint) => endpoint.start()));
  return {
    all,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(all.map((endpoint) => endpoint.kill()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
