import type { FailureCode } from '../model/failures.ts';
import type { Filter, FilterContext, FilterVerdict, LocalReply } from '../model/filter.ts';
import type { ResponseHead } from '../model/message.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import type { L7Shared } from './l7-shared.ts';

/** How long a filter may take to answer later, milliseconds. */
const PATIENCE_MS = 10_000;

/** The exchange that the filters look at. One of the three is called, once. */
export interface FilterRunOwner extends FilterContext {
  /** All of them let the request pass. */
  onFiltersPassed(): void;
  /** One of them answers it. */
  onFilterReply(reply: LocalReply): void;
  /** One of them fails, or has not answered in time. */
  onFilterFailed(code: FailureCode): void;
}

/** The filters of a route, at work on one exchange. */
export class FilterRun {
  readonly #filters: readonly Filter[];
  readonly #owner: FilterRunOwner;
  readonly #shared: L7Shared;
  /** Undefined until a filter answers later. */
  #deadline: Deadline | undefined = undefined;
  #over = false;

  constructor(filters: readonly Filter[], owner: FilterRunOwner, shared: L7Shared) {
    this.#filters = filters;
    this.#owner = owner;
    this.#shared = shared;
  }

  begin(): void {
    this.#runFrom(0);
  }

  #runFrom(first: number): void {
    const filters = this.#filters;
    for (let index = first; index < filters.length; index++) {
      const verdict = filters[index]!.onRequest?.(this.#owner);
      if (verdict === undefined) continue;
      if (verdict instanceof Promise) this.#await(verdict, index);
      else this.#owner.onFilterReply(verdict);
      return;
    }
    this.#owner.onFiltersPassed();
  }

  #await(verdict: Promise<FilterVerdict>, index: number): void {
    this.#deadline ??= new Deadline(this.#shared.wheel, this);
    this.#deadline.start(PATIENCE_MS);
    verdict.then(
      (later) => runTurn(() => this.#onVerdict(later, index)),
      (error: unknown) => runTurn(() => this.#onDefect(error)),
    );
  }

  #onVerdict(verdict: FilterVerdict, index: number): void {
    if (this.#over) return;
    this.#deadline!.stop();
    if (verdict === undefined) this.#runFrom(index + 1);
    else this.#owner.onFilterReply(verdict);
  }

  #onDefect(error: unknown): void {
    this.#shared.log.error('defect', {
      where: 'filter',
      error: error instanceof Error ? error.stack : String(error),
    });
    if (!this.#over) this.#owner.onFilterFailed('internal_error');
  }

  onDeadline(): void {
    this.#owner.onFilterFailed('filter_timeout');
  }

  /** The final head is there: of an endpoint, or of a reply that is no failure. */
  respond(head: ResponseHead): void {
    for (const filter of this.#filters) filter.onResponse?.(this.#owner, head);
  }

  /** The exchange is over, whatever a filter may still say. */
  finish(): void {
    this.#over = true;
    this.#deadline?.cancel();
    for (const filter of this.#filters) filter.onFinish?.(this.#owner);
  }
}
