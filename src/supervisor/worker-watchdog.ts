import type { Log } from '../model/ports.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** How often workers are asked for their figures, and so whether they are alive, milliseconds. */
export const BEAT_MS = 1000;

/** How a worker that does not answer is judged, milliseconds. */
export interface WatchdogTimes {
  readonly warnAfter: number;
  /** 0: never. */
  readonly killAfter: number;
}

/** Asks a worker for its figures; it answers in turn when it is well. */
export function askFigures(slot: WorkerSlot): void {
  slot.link.asked++;
  slot.send({ type: 'report' });
}

/**
 * Whether the worker has answered since the last look, a beat ago; it is asked again then. One miss a look: a supervisor that was held up
 * itself blames nobody.
 */
export function lookAfter(slot: WorkerSlot, { warnAfter, killAfter }: WatchdogTimes, log: Log): void {
  if (slot.state !== 'ready') return;
  const { link, number: worker, pid } = slot;
  if (link.received >= link.due) {
    if (link.warned) log.info('worker-answers', { worker, silentMs: link.missed * BEAT_MS });
    link.missed = 0;
    link.warned = false;
    askFigures(slot);
    link.due = link.asked;
    return;
  }
  link.missed++;
  const silentMs = link.missed * BEAT_MS;
  if (!link.warned && silentMs >= warnAfter) {
    link.warned = true;
    log.warn('worker-stuck', { worker, pid, silentMs });
  }
  if (killAfter === 0 || silentMs < killAfter) return;
  log.error('worker-killed', { worker, pid, reason: `no answer for ${silentMs} ms` });
  slot.kill();
}
