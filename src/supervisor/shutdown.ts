import type { Clock } from '../util/clock.ts';
import type { DataPlane } from './data-plane.ts';

/** How often it is looked whether everything has finished, milliseconds. */
const LOOK_EVERY_MS = 20;
/** What was told to end (tunnels, last responses) is given this long to leave, milliseconds. */
export const PARTING_MS = 250;

/** Resolves after `ms` milliseconds. */
export function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/**
 * Ends the traffic of a worker in order: no new connections and no further request on those there are, until everything under way has
 * finished or `deadlineMs` has passed; what is then left is cut.
 * @param idleMs How long connections that are idle stay open for one more request: a client that sends while its connection is closed
 * loses the request. 0 when there is nobody else to connect to.
 * @returns how much was cut.
 */
export async function finish(
  { listeners, pools }: DataPlane,
  deadlineMs: number,
  clock: Clock,
  idleMs = 0,
): Promise<number> {
  const untilMs = clock.nowMs() + deadlineMs;
  listeners.stop();
  if (idleMs > 0) {
    listeners.leave(idleMs);
    const idleUntilMs = Math.min(untilMs, clock.nowMs() + idleMs);
    while (listeners.connections > 0 && clock.nowMs() < idleUntilMs) await wait(clock, LOOK_EVERY_MS);
  }
  listeners.drain();
  // To leave before everybody has heard the end and taken the last response would reset connections under both.
  while ((listeners.busy > 0 || listeners.parting) && clock.nowMs() < untilMs)
    await wait(clock, LOOK_EVERY_MS);
  let cut = 0;
  if (listeners.busy > 0) {
    cut = listeners.cut();
    await wait(clock, PARTING_MS);
  }
  pools.stop();
  return cut;
}
