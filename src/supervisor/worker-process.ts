import { DescriptorSender } from '../net/descriptor-channel.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { WorkerProgram } from './worker-code.ts';

/** A descriptor with the number that the worker takes it by. */
export interface Handed {
  readonly id: number;
  readonly fd: number;
}

/** Told what happens to a worker process. */
export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** The process has ended; `how`: `exit code 1`, `SIGKILL`. Nothing comes after it. */
  onExit(how: string): void;
}

/** One process that carries traffic, with its two channels: messages and descriptors. */
export class WorkerProcess {
  readonly pid: number;
  readonly #process: Bun.Subprocess<Uint8Array | 'ignore', 'inherit', 'inherit'>;
  readonly #sockets: DescriptorSender | undefined;
  #alive = true;

  /** @param handsSockets Descriptors can be sent to it. */
  constructor({ command, input }: WorkerProgram, handsSockets: boolean, events: WorkerEvents) {
    const sockets = handsSockets ? new DescriptorSender() : undefined;
    this.#sockets = sockets;
    this.#process = Bun.spawn([...command], {
      // What it says to a service manager would be taken for the supervisor's.
      env: { ...process.env, NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined },
      stdio: [input, 'inherit', 'inherit', ...(sockets === undefined ? [] : [sockets.remote])],
      serialization: 'advanced',
      ipc: (message) => {
        if (this.#alive) events.onMessage(message as FromWorker);
      },
      onExit: (_process, code, signal) => {
        if (!this.#alive) return;
        this.#alive = false;
        sockets?.close();
        events.onExit(signal === null ? `exit code ${code}` : String(signal));
      },
    });
    this.pid = this.#process.pid;
    sockets?.closeRemote();
  }

  /**
   * Sends descriptors first, so that they are there when the message is read. Nothing happens when the process has ended. One that cannot be
   * told any more (it hangs, and its channels are full) is killed: the next one begins with what it would have been told.
   */
  send(message: ToWorker, handed: readonly Handed[] = []): void {
    if (!this.#alive) return;
    try {
      if (handed.length > 0) this.#sockets?.send(handed);
      this.#process.send(message);
    } catch {
      this.kill();
    }
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
