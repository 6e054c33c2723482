import type { UpgradeResult } from '../model/control.ts';
import type { Log } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import { type Legacy, program, Successor } from './successor.ts';

/** How long the new program may take until its workers accept, milliseconds. */
const READY_MS = 30_000;

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
  readonly inheritance: () => Legacy;
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
    const { clock, inheritance } = this.#deps;
    let successor: Successor;
    try {
      successor = new Successor(clock, inheritance);
    } catch (error) {
      return this.#refuse(
        'failed',
        `cannot start: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#successor = successor;
    const cancel = clock.after(timeoutMs, () => successor.giveUp(`not ready after ${timeoutMs} ms`));
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
