import type { WorkerView } from '../model/runtime-view.ts';
import type { FigureBook } from './figures.ts';
import type { Workers } from './workers.ts';

/** The workers as the admin interface and metrics show them: those that there are, or are to be. */
export function workerViews(workers: Workers, book: FigureBook): readonly WorkerView[] {
  const slots = workers.slots.filter(({ inUse }) => inUse);
  return slots.map((slot) => ({
    worker: slot.number,
    state: slot.state,
    pid: slot.pid,
    upSeconds: slot.upMs / 1000,
    restarts: slot.restarts,
    stuckSeconds: slot.link.missed,
    coveredBy: workers.coverOf(slot),
    connections: book.connectionsOf(slot.index),
    userCpuSeconds: slot.pastCpu.user + slot.figures.userCpuSeconds,
    systemCpuSeconds: slot.pastCpu.system + slot.figures.systemCpuSeconds,
    residentBytes: slot.figures.residentBytes,
    eventLoopLagMs: slot.figures.eventLoopLagMs,
  }));
}

/** Why nobody accepts connections, for people; empty when somebody does. */
export function obstaclesOf({ slots }: Workers): readonly string[] {
  if (slots.some(({ state }) => state === 'ready')) return [];
  const troubles = slots.flatMap(({ trouble }) => trouble ?? []);
  return troubles.length === 0 ? ['no worker accepts connections yet'] : troubles;
}
