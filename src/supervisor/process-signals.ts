import type { Log } from '../model/ports.ts';
import { onDefect } from '../net/defects.ts';

/** What people ask of the supervisor by signals. One that comes before somebody listens does nothing; the process does not die of it. */
export class ProcessSignals {
  /** SIGHUP. */
  onReload: () => void = () => {};
  /** SIGUSR2. */
  onUpgrade: () => void = () => {};
  readonly #stop = Promise.withResolvers<NodeJS.Signals>();

  constructor() {
    process.on('SIGHUP', () => this.onReload());
    process.on('SIGUSR2', () => this.onUpgrade());
  }

  /** The first SIGTERM or SIGINT that was heeded. */
  get stop(): Promise<NodeJS.Signals> {
    return this.#stop.promise;
  }

  /** From now on the first SIGTERM or SIGINT asks for an orderly stop, and the second ends the process at once. */
  heedStops(): void {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(130);
      asked = true;
      this.#stop.resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  }
}

/** Errors that nobody has caught are defects of ours: they are logged, and what else goes on goes on. */
export function logDefects(log: Log): void {
  const note = (error: unknown): void =>
    log.error('defect', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  onDefect(note);
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
}
