import type { EndpointConnector, SessionWaiter } from '../connector/endpoint-connector.ts';
import type { QueueTicket, QueueWaiter } from '../connector/queue-lines.ts';
import { hasBody } from '../http/h1-request.ts';
import type { EndpointStream } from '../http/streams.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { Origin } from '../net/origin.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { Attempt } from './attempt.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import type { L7Pool } from './l7-pool.ts';
import type { L7Shared } from './l7-shared.ts';
import { Retries } from './retries.ts';
import { isIdempotent, type RetryVerdict } from './retry.ts';

/** The exchange that wants its request served. */
export interface AttemptsOwner {
  readonly request: RequestHead;
  readonly clientIp: string;
  /** Of the client's connection. */
  readonly origin: Origin;
  /** The body can be sent again from its beginning. */
  readonly replayable: boolean;
  /** The client has sent FIN: it may be gone, or waiting for its answer. */
  readonly clientEnded: boolean;
  /** An endpoint is reached: the request is to be sent now. */
  onReached(session: EndpointStream): void;
  /** No attempt is left; none is held. */
  onGivenUp(code: FailureCode, detail: string): void;
}

/**
 * How a request finds its endpoint: pick and acquire in one step, reuse or dial, or wait in the queue; after a failure
 * the next one, as far as it is proven safe and the budget allows. Holds at most one place at one endpoint.
 */
export class Attempts implements SessionWaiter<EndpointStream>, QueueWaiter {
  readonly choice: EndpointChoice;
  /** The one under way, or the last that was. */
  readonly latest: Attempt;
  /** Attempts that count, so far. */
  count = 0;
  /** Time in the queue, milliseconds. */
  queuedMs = 0;
  #l7Pool!: L7Pool;
  readonly #shared: L7Shared;
  readonly #owner: AttemptsOwner;
  #connector: EndpointConnector<EndpointStream> | undefined = undefined;
  #ticket: QueueTicket | undefined = undefined;
  /** When the wait in the queue began. */
  #queuedSinceMs = 0;
  /** Undefined as long as nothing has failed. */
  #retries: Retries | undefined = undefined;
  #cancelPause: (() => void) | undefined = undefined;

  constructor(shared: L7Shared, owner: AttemptsOwner) {
    this.#shared = shared;
    this.#owner = owner;
    this.choice = new EndpointChoice(shared.balancer);
    this.latest = new Attempt(shared);
  }

  get queued(): boolean {
    return this.#ticket !== undefined;
  }

  /** Nothing failed and nobody will call it any more, so that it can serve another request. */
  get ordinary(): boolean {
    return (
      this.#retries === undefined &&
      this.latest.over &&
      this.#connector === undefined &&
      this.#ticket === undefined
    );
  }

  /** Serves a request: its first, or another when those before it were `ordinary`. */
  begin(l7Pool: L7Pool): void {
    const { pool } = l7Pool;
    const { request, clientIp } = this.#owner;
    this.#l7Pool = l7Pool;
    this.latest.reset();
    this.count = 0;
    this.queuedMs = 0;
    pool.counts.activeRequests.add(1);
    pool.stats.requests++;
    this.choice.begin(l7Pool, request, clientIp);
    this.#attempt();
  }

  /** The exchange is over. */
  end(): void {
    this.#l7Pool.pool.counts.activeRequests.add(-1);
    this.#retries?.end();
  }

  #attempt(): void {
    // Nobody who comes now goes before those who wait in other workers.
    const endpoint = this.#l7Pool.queue.othersFirst ? undefined : this.choice.take();
    if (endpoint === undefined) this.#queueOrGiveUp();
    else this.#connect(endpoint);
  }

  #queueOrGiveUp(): void {
    const { pool, queue } = this.#l7Pool;
    if (this.choice.lost) {
      this.#owner.onGivenUp('affinity_unavailable', '');
    } else if (!this.choice.mayWait) {
      this.#giveUpWithoutEndpoint();
    } else if (this.#owner.clientEnded) {
      // Nobody waits in a queue for someone who may be gone.
      this.#owner.onGivenUp('client_closed', '');
    } else {
      const { size, timeout } = pool.config.queue;
      this.#ticket = queue.enter(this, size, timeout);
      this.#queuedSinceMs = turnNowMs();
      if (this.#ticket !== undefined) return;
      pool.stats.queueFull++;
      this.#owner.onGivenUp('queue_full', '');
    }
  }

  /** None is left. When an endpoint that was reached answered badly, that is what the client hears. */
  #giveUpWithoutEndpoint(): void {
    this.#l7Pool.pool.stats.noEndpoint++;
    const retries = this.#retries;
    const last = retries?.lastFailure;
    if (retries === undefined || last === undefined) this.#owner.onGivenUp('no_endpoint', '');
    else if (retries.reachedNobody) this.#owner.onGivenUp('no_endpoint', `last attempt: ${last}`);
    else this.#owner.onGivenUp(last, retries.lastDetail);
  }

  // ---- the queue ----

  get waitsFor(): Endpoint | undefined {
    return this.choice.waitsFor;
  }

  onRoom(): boolean {
    const endpoint = this.choice.take();
    if (endpoint === undefined) return false;
    this.#ticket = undefined;
    this.queuedMs += turnNowMs() - this.#queuedSinceMs;
    this.#connect(endpoint);
    return true;
  }

  onQueueTimeout(): void {
    const { pool } = this.#l7Pool;
    this.#ticket = undefined;
    pool.stats.queueTimeouts++;
    this.queuedMs += turnNowMs() - this.#queuedSinceMs;
    // It waited long enough for the endpoint that it is bound to: another will do.
    const endpoint = this.choice.unbind() ? this.choice.take() : undefined;
    if (endpoint === undefined) this.#owner.onGivenUp('queue_timeout', '');
    else this.#connect(endpoint);
  }

  // ---- reaching the endpoint ----

  /** Uses the place that was taken at `endpoint`. */
  #connect(endpoint: Endpoint): void {
    this.count++;
    this.latest.begin(this.#l7Pool, endpoint, this.#retries?.begun === true);
    const connector = this.#l7Pool.connectorFor(endpoint, this.#owner.origin);
    const session = connector.take(this.careful);
    if (session === undefined) {
      this.#connector = connector;
      connector.dial(this);
    } else {
      this.latest.reached(session, false);
      this.#owner.onReached(session);
    }
  }

  get careful(): boolean {
    const { request } = this.#owner;
    return !isIdempotent(request.method) || hasBody(request);
  }

  onSession(session: EndpointStream): void {
    this.#connector = undefined;
    this.latest.reached(session, true);
    this.#owner.onReached(session);
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#connector = undefined;
    this.failed(code, detail);
  }

  // ---- the end of an attempt ----

  /** Whether a failure of that kind would be followed by another attempt, now and at another endpoint. */
  wouldRetry(code: FailureCode): boolean {
    const retries = (this.#retries ??= new Retries(this.#l7Pool.pool));
    return this.#judge(retries, code) === 'now' && this.choice.hasOther(this.latest.endpoint!);
  }

  /** The attempt failed: accounts for it, and tries again or gives up. */
  failed(code: FailureCode, detail: string): void {
    const { latest } = this;
    const retries = (this.#retries ??= new Retries(this.#l7Pool.pool));
    if (retries.failed(code, detail, latest.elapsedMs)) {
      latest.blame(code);
      this.choice.exclude(latest.endpoint!);
    } else {
      this.count--;
      latest.release();
    }
    this.#retryOrGiveUp(retries, code, detail);
  }

  #judge(retries: Retries, code: FailureCode): RetryVerdict {
    const { request, replayable } = this.#owner;
    return retries.judge(code, request.method, this.count, replayable);
  }

  #retryOrGiveUp(retries: Retries, code: FailureCode, detail: string): void {
    const verdict = this.#judge(retries, code);
    if (verdict === 'no') this.#owner.onGivenUp(code, detail);
    else if (verdict === 'unreachable') this.#giveUpWithoutEndpoint();
    else if (verdict === 'now' && retries.begin(code))
      this.#retry(retries.pauseMs(code, this.#shared.random));
    else this.#waitForBudget(retries, code, detail);
  }

  #waitForBudget(retries: Retries, code: FailureCode, detail: string): void {
    if (!retries.mayWaitForBudget(turnNowMs()) || this.#owner.clientEnded) {
      this.#l7Pool.pool.stats.retriesDenied++;
      this.#owner.onGivenUp(code, detail);
      return;
    }
    const pauseMs = retries.budgetPauseMs(this.#shared.random);
    this.#after(pauseMs, () => this.#retryOrGiveUp(retries, code, detail));
  }

  #retry(pauseMs: number | undefined): void {
    if (pauseMs === undefined) this.#attempt();
    else this.#after(pauseMs, () => this.#attempt());
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelPause = this.#shared.clock.after(delayMs, () => {
      this.#cancelPause = undefined;
      runTurn(run);
    });
  }

  /** Lets go of queue, dial, pause, stream and place, whichever there is. */
  leave(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    if (this.#ticket !== undefined) {
      this.#l7Pool.queue.leave(this.#ticket);
      this.#ticket = undefined;
    }
    this.#connector?.cancel(this);
    this.#connector = undefined;
    this.latest.abort();
    this.latest.release();
  }
}
