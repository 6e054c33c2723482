import type { Endpoint } from '../model/endpoint.ts';
import type { Transition, TransitionListener } from '../model/ports.ts';

type Kind = Transition['kind'];

const KINDS: readonly Kind[] = ['healthy', 'unhealthy', 'ejected', 'readmitted', 'admin'];

/** How often the state of each endpoint changed. What belongs to an endpoint that is gone is forgotten. */
export class TransitionCounters implements TransitionListener {
  readonly #counts = new WeakMap<Endpoint, Map<Kind, number>>();

  onTransition({ endpoint, kind }: Transition): void {
    let counts = this.#counts.get(endpoint);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(endpoint, counts);
    }
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }

  /** Every kind with its count, those that never happened too. */
  of(endpoint: Endpoint): readonly (readonly [Kind, number])[] {
    const counts = this.#counts.get(endpoint);
    return KINDS.map((kind) => [kind, counts?.get(kind) ?? 0]);
  }
}
