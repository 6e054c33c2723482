import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import type { DataPlane } from './data-plane.ts';

/** How often it is looked whether everything has finished, milliseconds. */
const LOOK_EVERY_MS = 20;
/** What was told to end (tunnels, last responses) is given this long to leave, milliseconds. */
const PARTING_MS = 250;

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/**
 * Ends in order: not ready for `shutdown.delay`, then no new connections and no further request on those there are, until
 * everything under way has finished or `shutdown.deadline` has passed; what is then left is cut, and logged.
 */
export async function shutDown(
  plane: DataPlane,
  config: Config['shutdown'],
  clock: Clock,
  log: Log,
): Promise<void> {
  if (config.delay > 0) await wait(clock, config.delay);
  plane.stopListening();
  plane.drain();
  const untilMs = clock.nowMs() + config.deadline;
  while (plane.busy > 0 && clock.nowMs() < untilMs) await wait(clock, LOOK_EVERY_MS);
  if (plane.busy > 0) {
    const cut = plane.cut();
    log.warn('shutdown-cut', { exchanges: cut, reason: `still under way after ${config.deadline} ms` });
    await wait(clock, PARTING_MS);
  }
  plane.close();
}
