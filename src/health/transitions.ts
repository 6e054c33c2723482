import type { Endpoint, HealthState } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, PoolPublisher, TransitionListener } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';

export interface TransitionDeps {
  readonly clock: Clock;
  readonly publisher: PoolPublisher;
  readonly transitions: TransitionListener;
  readonly log: Log;
}

/** An ejection that begins. */
export interface EjectionStart {
  readonly forMs: number;
  /** Which one in a row. */
  readonly count: number;
  readonly reason: string;
}

/** Between two lines in the log about checks that cannot be made, milliseconds. */
const COMPLAIN_EVERY_MS = 10_000;

/**
 * The one place that changes health and ejection of endpoints: sets the state, publishes the pool, then tells the listener and
 * the log, so that whoever acts on a transition sees the view that it led to.
 */
export class Transitions {
  readonly #deps: TransitionDeps;
  #complainedMs = Number.NEGATIVE_INFINITY;

  constructor(deps: TransitionDeps) {
    this.#deps = deps;
  }

  setHealth(pool: Pool, endpoint: Endpoint, health: HealthState, reason: string): void {
    const { clock, publisher, transitions, log } = this.#deps;
    endpoint.health = health;
    endpoint.healthReason = reason;
    endpoint.healthSinceMs = clock.nowMs();
    publisher.publish(pool);
    const fields = { pool: pool.name, endpoint: endpoint.name, reason };
    switch (health) {
      case 'healthy':
        log.info('endpoint-healthy', fields);
        break;
      case 'unhealthy':
        log.warn('endpoint-unhealthy', fields);
        break;
      case 'unknown':
        // Nobody's verdict, so nothing to act on.
        log.info('endpoint-unchecked', fields);
        return;
    }
    transitions.onTransition({ pool, endpoint, kind: health, reason });
  }

  /** A check could not be made, through no fault of the endpoint. That is true of others too, so it is told now and then. */
  untried(pool: Pool, endpoint: Endpoint, reason: string): void {
    const { clock, log } = this.#deps;
    const nowMs = clock.nowMs();
    if (nowMs - this.#complainedMs < COMPLAIN_EVERY_MS) return;
    this.#complainedMs = nowMs;
    log.error('health-check-impossible', { pool: pool.name, endpoint: endpoint.name, reason });
  }

  eject(pool: Pool, endpoint: Endpoint, { forMs, count, reason }: EjectionStart): void {
    const { clock, publisher, transitions, log } = this.#deps;
    endpoint.ejectedUntilMs = clock.nowMs() + forMs;
    endpoint.ejectReason = reason;
    endpoint.ejections = count;
    publisher.publish(pool);
    log.warn('endpoint-ejected', { pool: pool.name, endpoint: endpoint.name, forMs, reason });
    transitions.onTransition({ pool, endpoint, kind: 'ejected', reason });
  }

  readmit(pool: Pool, endpoint: Endpoint, reason: string): void {
    const { publisher, transitions, log } = this.#deps;
    endpoint.ejectedUntilMs = 0;
    endpoint.ejectReason = '';
    publisher.publish(pool);
    log.info('endpoint-readmitted', { pool: pool.name, endpoint: endpoint.name, reason });
    transitions.onTransition({ pool, endpoint, kind: 'readmitted', reason });
  }
}
