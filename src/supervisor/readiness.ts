import type { Readiness } from '../model/runtime-view.ts';

/** Whether clients are to be sent here: as long as somebody accepts them, and until the stop begins. */
export class ReadinessState {
  readonly #obstacles: () => readonly string[];
  #stopping = false;

  /** @param obstacles Why nobody accepts now, for people. */
  constructor(obstacles: () => readonly string[]) {
    this.#obstacles = obstacles;
  }

  now(): Readiness {
    const reasons = this.#stopping ? ['shutting down'] : this.#obstacles();
    return { ready: reasons.length === 0, reasons };
  }

  /** Not ready any more, for good. */
  end(): void {
    this.#stopping = true;
  }
}
