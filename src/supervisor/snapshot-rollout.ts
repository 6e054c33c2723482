import type { Clock } from '../util/clock.ts';
import type { Covers } from './covers.ts';
import type { SocketPlan } from './held-listeners.ts';
import type { FromWorker, Ports, Snapshot } from './messages.ts';
import { wait } from './shutdown.ts';
import type { WorkerAnswers } from './worker-answers.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** How long a worker may take to prepare a configuration, milliseconds. */
const PREPARE_MS = 10_000;

/**
 * Brings a snapshot into force in every worker or in none: all prepare, which changes nothing and may fail; then all are told to commit, which
 * cannot.
 */
export class SnapshotRollout {
  readonly #slots: readonly WorkerSlot[];
  readonly #answers: WorkerAnswers;
  readonly #covers: Covers;
  readonly #clock: Clock;

  constructor(slots: readonly WorkerSlot[], answers: WorkerAnswers, covers: Covers, clock: Clock) {
    this.#slots = slots;
    this.#answers = answers;
    this.#covers = covers;
    this.#clock = clock;
  }

  /**
   * Has all make ready for a snapshot, which changes nothing yet. A worker that dies meanwhile is no obstacle: the next one begins with what
   * is in force then.
   * @throws Error of the first that cannot; `abandon` is to be called then.
   */
  async prepare(snapshot: Snapshot, held: SocketPlan['held']): Promise<Ports> {
    const { revision } = snapshot;
    const isAnswer = (message: FromWorker): boolean =>
      (message.type === 'prepared' || message.type === 'refused') && message.revision === revision;
    const asked = this.#slots.filter(({ serves }) => serves);
    const answers = asked.map((slot) => {
      const answer = this.#answers.of(slot, isAnswer);
      slot.offer({ type: 'prepare', snapshot }, held);
      return answer;
    });
    const late = wait(this.#clock, PREPARE_MS).then(() => 'late' as const);
    const settled = await Promise.race([Promise.all(answers), late]);
    if (settled === 'late') {
      const slow = asked.filter(({ serves, link }) => serves && link.prepared !== revision);
      throw new Error(`worker ${slow.map(({ number }) => number).join(', ')} does not answer`);
    }
    for (const answer of settled) if (answer?.type === 'refused') throw new Error(answer.message);
    return portsIn(settled);
  }

  /** Puts into force what was prepared. A worker that was not there then gets it now. */
  commit(snapshot: Snapshot, held: SocketPlan['held']): void {
    for (const slot of this.#slots) {
      if (!slot.serves) continue;
      if (slot.link.prepared !== snapshot.revision) slot.offer({ type: 'prepare', snapshot }, held);
      slot.send({ type: 'commit' });
    }
    this.#covers.refresh();
  }

  /** Nothing comes of what was prepared. */
  abandon(): void {
    for (const slot of this.#slots) slot.send({ type: 'abandon' });
  }
}

/** All workers have the same ports, but where each opens its own there is only one. */
export function portsIn(answers: readonly (FromWorker | undefined)[]): Ports {
  for (const answer of answers)
    if (answer?.type === 'ready' || answer?.type === 'prepared') return answer.ports;
  return {};
}
