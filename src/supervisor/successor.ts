import { DescriptorSender } from '../net/descriptor-channel.ts';
import type { Clock } from '../util/clock.ts';
import {
  type FromSuccessor,
  HANDOVER_DESCRIPTOR,
  STANDARD_ERROR_HANDLE,
  type ToSuccessor,
  UPGRADE_VARIABLE,
} from './handover-messages.ts';
import type { Inheritance } from './inheritance.ts';
import { LastWords, tellingLine } from './last-words.ts';

/** Lines of what the new program has to say that are told. */
const MOST_LINES = 20;

/** What is handed over. */
export interface Legacy {
  readonly inheritance: Inheritance;
  /** Of the sockets in it, in their order. */
  readonly descriptors: readonly number[];
}

/** What became of a successor: it is ready, or it is gone. */
interface Outcome {
  readonly ready: Extract<FromSuccessor, { readonly type: 'ready' }> | undefined;
  readonly reason: string;
  readonly lines: readonly string[];
}

/** What was called to run this process, with the arguments that it was called with. */
export function program(): string[] {
  const called = process.env['POINTSMAN_PROGRAM'];
  const own = called === undefined ? [process.execPath, ...process.execArgv, Bun.main] : [called];
  return [...own, ...process.argv.slice(2)];
}

/** The process that is to take over, started from the program on disk; the other side is `Predecessor`. */
export class Successor {
  readonly pid: number;
  readonly #process: Bun.Subprocess<'ignore', 'inherit', 'pipe'>;
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #channel = new DescriptorSender();
  readonly #words: LastWords;
  #decided = false;
  #lines: readonly string[] = [];
  #reason: string | undefined = undefined;

  /**
   * @param inheritance Asked for when it is there.
   * @throws Error when no process can be started.
   */
  constructor(clock: Clock, inheritance: () => Legacy) {
    const channel = this.#channel;
    try {
      this.#process = Bun.spawn(program(), {
        env: { ...process.env, [UPGRADE_VARIABLE]: String(HANDOVER_DESCRIPTOR), WATCHDOG_PID: undefined },
        stdio: ['ignore', 'inherit', 'pipe', channel.remote],
        serialization: 'json',
        ipc: (message) => this.#onMessage(message as FromSuccessor, inheritance),
        onExit: (_process, code, signal) =>
          void this.#onExit(signal === null ? `exit code ${code}` : String(signal)),
      });
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      channel.closeRemote();
    }
    this.pid = this.#process.pid;
    this.#words = new LastWords(this.#process.stderr, clock, (bytes) => void process.stderr.write(bytes));
  }

  /** Resolves when it is ready, or has ended. */
  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  tell(message: ToSuccessor): void {
    this.#process.send(message);
  }

  /** Ends it, unless it is ready. Its workers finish what they have accepted. */
  giveUp(reason: string): void {
    if (this.#decided) return;
    this.#reason ??= reason;
    this.#process.kill('SIGKILL');
  }

  #onMessage(message: FromSuccessor, inheritance: () => Legacy): void {
    if (message.type === 'failed') this.#lines = message.lines.slice(-MOST_LINES);
    else if (message.type === 'here') this.#handOver(inheritance);
    else if (message.type === 'ready') this.#decide({ ready: message, reason: '', lines: [] });
  }

  #handOver(asked: () => Legacy): void {
    try {
      const { inheritance, descriptors } = asked();
      const handed = descriptors.map((fd, id) => ({ id, fd }));
      this.#channel.send([...handed, { id: STANDARD_ERROR_HANDLE, fd: process.stderr.fd }]);
      this.tell({ type: 'inheritance', inheritance });
    } catch (error) {
      this.giveUp(
        `the sockets cannot be handed over: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  async #onExit(how: string): Promise<void> {
    const written = await this.#words.lines();
    const lines = this.#lines.length > 0 ? this.#lines : written;
    const said = this.#lines.at(0);
    const telling = tellingLine(written);
    const ended = telling === undefined ? `it ended with ${how}` : `it ended with ${how}: ${telling}`;
    this.#decide({
      ready: undefined,
      reason: `the new program did not take over: ${this.#reason ?? said ?? ended}`,
      lines,
    });
  }

  #decide(outcome: Outcome): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#channel.close();
    if (outcome.ready !== undefined) this.#process.unref();
    this.#outcome.resolve(outcome);
  }
}
