import type { UpgradeResult } from '../model/control.ts';
import type { Log } from '../model/ports.ts';
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

/** How long the new program may take until its workers accept, milliseconds. */
const READY_MS = 30_000;
/** Lines of what the new program has to say that are told. */
const MOST_LINES = 20;

type Refusal = Extract<UpgradeResult, { readonly outcome: 'refused' }>;

/** What upgrades are made with. */
export interface UpgraderDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Why this process can never be replaced, for people; undefined when it can. */
  readonly obstacle: string | undefined;
  /** Waits for a reload under way, and has all changes refused from then on; undefined lets them be made again. */
  readonly hold: (reason: string | undefined) => Promise<void>;
  /** What is handed over, asked for when the new program is there. */
  readonly inheritance: () => { readonly inheritance: Inheritance; readonly descriptors: readonly number[] };
}

/** Replaces the running program by the one on disk: starts it, gives it the sockets, waits until its workers accept. */
export class Upgrader {
  readonly #deps: UpgraderDeps;
  readonly #relieved = Promise.withResolvers<number>();
  #successor: Successor | undefined = undefined;
  #underWay = false;
  #stopped = false;

  constructor(deps: UpgraderDeps) {
    this.#deps = deps;
  }

  /** Resolves with the process id of the one that took over. */
  get relieved(): Promise<number> {
    return this.#relieved.promise;
  }

  /** Never rejects. When it is refused, this process goes on as if nothing had happened. */
  async upgrade(by: string, timeoutMs: number = READY_MS): Promise<UpgradeResult> {
    const { log, obstacle, hold } = this.#deps;
    if (obstacle !== undefined) return this.#refuse('unsupported', obstacle);
    if (this.#stopped) return this.#refuse('stopping', 'Pointsman is shutting down');
    if (this.#underWay) return this.#refuse('busy', 'an upgrade is under way');
    this.#underWay = true;
    await hold('an upgrade is under way');
    log.info('upgrading', { program: program()[0], by });
    const result = await this.#replace(timeoutMs);
    if (result.outcome === 'refused') {
      await hold(undefined);
      this.#underWay = false;
      return result;
    }
    log.info('upgraded', { pid: result.pid, version: result.version, revision: result.revision });
    this.#relieved.resolve(result.pid);
    return result;
  }

  async #replace(timeoutMs: number): Promise<UpgradeResult> {
    let successor: Successor;
    try {
      successor = new Successor(this.#deps);
    } catch (error) {
      return this.#refuse(
        'failed',
        `cannot start: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#successor = successor;
    const cancel = this.#deps.clock.after(timeoutMs, () =>
      successor.giveUp(`not ready after ${timeoutMs} ms`),
    );
    const ending = await successor.outcome;
    cancel();
    if (ending.ready !== undefined) {
      const { version, revision } = ending.ready;
      return { outcome: 'upgraded', pid: successor.pid, version, revision };
    }
    this.#successor = undefined;
    return this.#refuse(this.#stopped ? 'stopping' : 'failed', ending.reason, ending.lines);
  }

  #refuse(reason: Refusal['reason'], message: string, lines: readonly string[] = []): Refusal {
    this.#deps.log.error('upgrade-refused', { reason, message });
    for (const line of lines) this.#deps.log.error('upgrade-problem', { problem: line });
    return { outcome: 'refused', reason, message, log: lines };
  }

  /** Tells the one that took over that all is its own now. */
  release(): void {
    this.#successor?.tell({ type: 'take-over' });
  }

  /** No upgrade from now on; one that has not come far enough is given up. */
  stop(): void {
    this.#stopped = true;
    this.#successor?.giveUp('Pointsman is shutting down');
  }
}

/** What became of a successor: it is ready, or it is gone. */
interface Outcome {
  readonly ready: Extract<FromSuccessor, { readonly type: 'ready' }> | undefined;
  readonly reason: string;
  readonly lines: readonly string[];
}

/** What was called to run this process, with the arguments that it was called with. */
function program(): string[] {
  const called = process.env['POINTSMAN_PROGRAM'];
  const own = called === undefined ? [process.execPath, ...process.execArgv, Bun.main] : [called];
  return [...own, ...process.argv.slice(2)];
}

/** The process that is to take over. */
class Successor {
  readonly pid: number;
  readonly #process: Bun.Subprocess<'ignore', 'inherit', 'pipe'>;
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #channel = new DescriptorSender();
  readonly #words: LastWords;
  #decided = false;
  #lines: readonly string[] = [];
  #reason: string | undefined = undefined;

  /** @throws Error when no process can be started. */
  constructor({ clock, inheritance }: UpgraderDeps) {
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

  #onMessage(message: FromSuccessor, inheritance: UpgraderDeps['inheritance']): void {
    if (message.type === 'failed') this.#lines = message.lines.slice(-MOST_LINES);
    else if (message.type === 'here') this.#handOver(inheritance);
    else if (message.type === 'ready') this.#decide({ ready: message, reason: '', lines: [] });
  }

  #handOver(asked: UpgraderDeps['inheritance']): void {
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
