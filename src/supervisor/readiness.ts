import type { Readiness } from '../model/runtime-view.ts';
import type { ControlPlane } from './control-plane.ts';

/** Whether clients are to be sent here: as long as somebody accepts them, and until the stop begins. */
export class ReadinessState {
  readonly #plane: Pick<ControlPlane, 'obstacles'>;
  #stopping = false;

  constructor(plane: Pick<ControlPlane, 'obstacles'>) {
    this.#plane = plane;
  }

  now(): Readiness {
    const reasons = this.#stopping ? ['shutting down'] : this.#plane.obstacles;
    return { ready: reasons.length === 0, reasons };
  }

  /** Not ready any more, for good. */
  end(): void {
    this.#stopping = true;
  }
}
