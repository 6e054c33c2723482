import { fileURLToPath } from 'node:url';

/** What happens to an endpoint of the demonstration, for the terminal. */
export interface DemoEndpointEvents {
  /** It was ended from outside, and starts again in `restartMs`. */
  ended(endpoint: DemoEndpoint, how: string, restartMs: number): void;
  /** It listens again, as a new process. */
  returned(endpoint: DemoEndpoint): void;
}

/** Long enough to see what the balancer makes of an endpoint that is gone. */
const RESTART_MS = 5000;
/** A signal to the whole process group may reach the endpoints before it reaches us: then they did not end on their own. */
const SAME_SIGNAL_MS = 100;

const PROGRAM = fileURLToPath(import.meta.resolve('./endpoint-main.ts'));

/** A small endpoint in a process of its own, on one loopback port for all its lives: when it is killed it comes back. */
export class DemoEndpoint {
  readonly name: string;
  /** How long it takes to answer, milliseconds. */
  readonly delayMs: number;
  readonly #events: DemoEndpointEvents;
  #port = 0;
  #child: Bun.Subprocess | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #retired = false;

  constructor(name: string, delayMs: number, events: DemoEndpointEvents) {
    this.name = name;
    this.delayMs = delayMs;
    this.#events = events;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process. Rejects when it ends before it listens. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      let listening = false;
      this.#child = Bun.spawn(
        [process.execPath, '--no-env-file', PROGRAM, this.name, String(this.#port), String(this.delayMs)],
        {
          stdin: 'ignore',
          stdout: 'ignore',
          stderr: 'inherit',
          ipc: (port: number) => {
            listening = true;
            this.#port = port;
            resolve();
          },
          onExit: (_child, code, signal, error) => {
            const how = signal === null ? `exit code ${code}` : String(signal);
            if (listening) this.#onEnd(how);
            else reject(new Error(`endpoint ${this.name} did not start: ${error?.message ?? how}`));
          },
        },
      );
    });
  }

  #onEnd(how: string): void {
    this.#after(SAME_SIGNAL_MS, () => {
      this.#events.ended(this, how, RESTART_MS);
      this.#returnLater();
    });
  }

  #returnLater(): void {
    this.#after(RESTART_MS, () => {
      this.start().then(
        () => this.#events.returned(this),
        () => this.#returnLater(),
      );
    });
  }

  #after(delayMs: number, run: () => void): void {
    if (!this.#retired) this.#timer = setTimeout(run, delayMs);
  }

  /** It does not come back any more when it ends. */
  retire(): void {
    this.#retired = true;
    clearTimeout(this.#timer);
  }

  /** Ends it for good. */
  stop(): void {
    this.retire();
    this.#child?.kill('SIGKILL');
  }
}
