import type { EndpointConfig } from '../config/schema/pool.ts';
import type { AdminState } from './endpoint.ts';

/** What an operator wants of one endpoint; what is left out stays as it is. Plain data, so that it can be sent. */
export interface EndpointChange {
  readonly state?: AdminState;
  readonly weight?: number;
  /**
   * From now, milliseconds: how long an endpoint that is draining or disabled may finish. Then it takes no bound sessions any
   * more and its tunnels and sessions are closed.
   */
  readonly deadlineMs?: number;
}

export interface EndpointRemoval {
  /** Leaves the pool now; otherwise it drains first. */
  readonly force: boolean;
  /** Leaves then at the latest, milliseconds from now; undefined: only when empty. */
  readonly deadlineMs: number | undefined;
}

/** Why a change was not made. */
export interface ControlRefusal {
  readonly code: 'not_found' | 'conflict';
  /** For people. */
  readonly message: string;
}

/** A difference between what is in force and what the configuration says, made at run time. */
export interface RuntimeChange {
  readonly pool: string;
  readonly endpoint: string;
  readonly kind: 'added' | 'removed' | 'state' | 'weight';
  /** In force: a state, a weight, or the address of an endpoint that was added; null for one that was removed. */
  readonly value: string | number | null;
  /** The same as the configuration has it; null for an endpoint that it does not name. */
  readonly file: string | number | null;
  /** Who made it. */
  readonly by: string;
  readonly sinceWallMs: number;
}

/**
 * Implemented by `supervisor/`: changes of endpoints at run time. All are made at once and synchronously. `by` says who
 * asked, for the log.
 */
export interface EndpointControl {
  /** @returns why it was refused; undefined when it is done, or was so already. */
  change(pool: string, endpoint: string, change: EndpointChange, by: string): ControlRefusal | undefined;
  add(pool: string, endpoint: EndpointConfig, by: string): ControlRefusal | undefined;
  remove(pool: string, endpoint: string, removal: EndpointRemoval, by: string): ControlRefusal | undefined;
  changes(): readonly RuntimeChange[];
  /** Back to what the configuration says, in every pool. Returns how many changes there were. */
  discard(by: string): number;
  /** Grows with every change of any pool at run time, those included that time brings. */
  version(): number;
}
