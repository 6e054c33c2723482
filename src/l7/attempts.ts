import type { EndpointConnector, SessionWaiter } from '../connector/endpoint-connector.ts';
import type { QueueTicket, QueueWaiter } from '../connector/queue-lines.ts';
import { hasBody } from '../http/h1-request.ts';
import type { EndpointStream } from '../http/streams.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Origin } from '../net/origin.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import type { L7Pool } from './l7-pool.ts';
import type { L7Shared } from './l7-shared.ts';
import {
  backoffMs,
  isFree,
  isIdempotent,
  judgeRetry,
  nothingSent,
  retryBudget,
  type RetryVerdict,
} from './retry.ts';

const NONE_TRIED: readonly Endpoint[] = [];

/** Connections that were dead or leaving already cost no attempt, but not without end. */
const MAX_FREE_RETRIES = 8;

/** How long an exchange waits for a place in the retry budget, milliseconds. */
const BUDGET_PATIENCE_MS = 2000;

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
export class Attempts implements SessionWaiter<EndpointStream>, QueueWaiter, PickRequest {
  /** Of the latest attempt. */
  endpoint: Endpoint | undefined = undefined;
  /** Attempts that count, so far. */
  count = 0;
  /** Time in the queue, milliseconds. */
  queuedMs = 0;
  /** Time that the latest attempt took to connect; 0 on a connection that was there. */
  connectMs = 0;
  hash = -1;
  #l7Pool!: L7Pool;
  readonly #shared: L7Shared;
  readonly #owner: AttemptsOwner;
  #tried: Endpoint[] | undefined = undefined;
  #bound: Endpoint | undefined = undefined;
  #acquired = false;
  #connector: EndpointConnector<EndpointStream> | undefined = undefined;
  #ticket: QueueTicket | undefined = undefined;
  /** When the latest wait or attempt began. */
  #sinceMs = 0;
  #retries = 0;
  /** Those of them that followed a connection which was dead already. */
  #freeRetries = 0;
  /** Attempts in which nothing was sent, and what they took together, milliseconds. */
  #unsent = 0;
  #lostMs = 0;
  /** Those of them that added to the work of an endpoint. */
  #costlyRetries = 0;
  /** Holds a place in the retry budget. */
  #charged = false;
  #budgetSinceMs = -1;
  #cancelWait: (() => void) | undefined = undefined;
  #lastFailure: FailureCode | undefined = undefined;
  #lastDetail = '';

  constructor(shared: L7Shared, owner: AttemptsOwner) {
    this.#shared = shared;
    this.#owner = owner;
  }

  get tried(): readonly Endpoint[] {
    return this.#tried ?? NONE_TRIED;
  }

  /** The endpoint that the client is bound to by affinity. */
  get bound(): Endpoint | undefined {
    return this.#bound;
  }

  get queued(): boolean {
    return this.#ticket !== undefined;
  }

  /** Since the latest attempt was sent, milliseconds. */
  get elapsedMs(): number {
    return turnNowMs() - this.#sinceMs;
  }

  /** Nothing failed and nobody will call it any more, so that it can serve another request. */
  get ordinary(): boolean {
    return (
      this.#lastFailure === undefined &&
      !this.#acquired &&
      this.#connector === undefined &&
      this.#ticket === undefined
    );
  }

  /** Serves a request: its first, or another when those before it were `ordinary`. */
  begin(l7Pool: L7Pool): void {
    const { pool, hashKey, affinity } = l7Pool;
    const { request, clientIp } = this.#owner;
    this.#l7Pool = l7Pool;
    this.endpoint = undefined;
    this.count = 0;
    this.queuedMs = 0;
    this.connectMs = 0;
    pool.counts.activeRequests.add(1);
    pool.stats.requests++;
    this.hash = hashKey === undefined ? -1 : hashKey(request, clientIp);
    this.#bound = affinity?.bound(request);
    this.#attempt();
  }

  /** The exchange is over. */
  end(): void {
    const { pool } = this.#l7Pool;
    pool.counts.activeRequests.add(-1);
    if (this.#charged) pool.counts.activeRetries.give();
  }

  #attempt(): void {
    // Nobody who comes now goes before those who wait in other workers.
    const endpoint = this.#l7Pool.queue.othersFirst ? undefined : this.#take();
    if (endpoint === undefined) this.#queueOrGiveUp();
    else this.#connect(endpoint);
  }

  get #strict(): boolean {
    return this.#bound !== undefined && this.#l7Pool.pool.config.affinity?.strict === true;
  }

  /** The client is bound to an endpoint that it may still use. */
  get #boundUsable(): boolean {
    const bound = this.#bound;
    return (
      bound !== undefined && !this.tried.includes(bound) && availability(bound, turnNowMs()) !== 'closed'
    );
  }

  /** Takes a place: at the endpoint that the client is bound to while that may be used, else at one by the policy. */
  #take(): Endpoint | undefined {
    const { balancer } = this.#shared;
    const { pool } = this.#l7Pool;
    const bound = this.#bound;
    if (bound !== undefined) {
      if (this.#boundUsable) return balancer.acquire(pool, bound) ? bound : undefined;
      if (this.#strict) return undefined;
    }
    return balancer.take(pool, this);
  }

  #queueOrGiveUp(): void {
    const { pool, queue } = this.#l7Pool;
    if (this.#strict && !this.#boundUsable) {
      this.#owner.onGivenUp('affinity_unavailable', '');
    } else if (!this.#boundUsable && !this.#anyUntried(pool.view.available)) {
      this.#giveUpWithoutEndpoint();
    } else if (this.#owner.clientEnded) {
      // Nobody waits in a queue for someone who may be gone.
      this.#owner.onGivenUp('client_closed', '');
    } else {
      const { size, timeout } = pool.config.queue;
      this.#ticket = queue.enter(this, size, timeout);
      this.#sinceMs = turnNowMs();
      if (this.#ticket !== undefined) return;
      pool.stats.queueFull++;
      this.#owner.onGivenUp('queue_full', '');
    }
  }

  /** None of those could be taken, so all were full, even if another worker has made room meanwhile. */
  #anyUntried(available: readonly Endpoint[]): boolean {
    return available.some((endpoint) => !this.tried.includes(endpoint));
  }

  /** None is left. When an endpoint that was reached answered badly, that is what the client hears. */
  #giveUpWithoutEndpoint(): void {
    this.#l7Pool.pool.stats.noEndpoint++;
    const last = this.#lastFailure;
    // What we have run out of ourselves is not said of endpoints.
    const unreached =
      last === undefined || (FAILURES[last].phase === 'connect' && FAILURES[last].origin === 'endpoint');
    if (unreached) {
      this.#owner.onGivenUp('no_endpoint', last === undefined ? '' : `last attempt: ${last}`);
    } else {
      this.#owner.onGivenUp(last, this.#lastDetail);
    }
  }

  // ---- the queue ----

  get waitsFor(): Endpoint | undefined {
    return this.#boundUsable ? this.#bound : undefined;
  }

  onRoom(): boolean {
    const endpoint = this.#take();
    if (endpoint === undefined) return false;
    this.#ticket = undefined;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    this.#connect(endpoint);
    return true;
  }

  onQueueTimeout(): void {
    const { pool } = this.#l7Pool;
    this.#ticket = undefined;
    pool.stats.queueTimeouts++;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    if (this.#bound !== undefined && !this.#strict) {
      // It waited long enough for the endpoint it is bound to: another will do.
      this.#bound = undefined;
      const endpoint = this.#take();
      if (endpoint !== undefined) {
        this.#connect(endpoint);
        return;
      }
    }
    this.#owner.onGivenUp('queue_timeout', '');
  }

  // ---- reaching the endpoint ----

  /** Uses the place that was taken at `endpoint`. */
  #connect(endpoint: Endpoint): void {
    this.#acquired = true;
    this.endpoint = endpoint;
    this.count++;
    endpoint.stats.requests++;
    if (this.#retries > 0) endpoint.stats.retries++;
    this.#sinceMs = turnNowMs();
    const connector = this.#l7Pool.connectorFor(endpoint, this.#owner.origin);
    const session = connector.take(this.careful);
    if (session === undefined) {
      this.#connector = connector;
      connector.dial(this);
    } else {
      this.connectMs = 0;
      this.#owner.onReached(session);
    }
  }

  get careful(): boolean {
    const { request } = this.#owner;
    return !isIdempotent(request.method) || hasBody(request);
  }

  onSession(session: EndpointStream): void {
    this.#connector = undefined;
    this.connectMs = this.elapsedMs;
    this.#sinceMs = turnNowMs();
    this.#owner.onReached(session);
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#connector = undefined;
    this.failed(code, detail);
  }

  // ---- the end of an attempt ----

  /** The endpoint is judged by how it answered. */
  approve(status: number): void {
    this.#shared.observer.observe(this.#l7Pool.pool, this.endpoint!, undefined, status);
  }

  /** The attempt succeeded, to the end of the response. */
  succeeded(status: number): void {
    this.approve(status);
    this.#release();
  }

  /** Whether a failure of that kind would be followed by another attempt, now and at another endpoint. */
  wouldRetry(code: FailureCode): boolean {
    return this.#judge(code) === 'now' && this.#isThereAnother();
  }

  #isThereAnother(): boolean {
    if (this.#strict) return false;
    for (const endpoint of this.#l7Pool.pool.view.available) {
      if (endpoint !== this.endpoint && !endpoint.full && !this.tried.includes(endpoint)) return true;
    }
    return false;
  }

  /** The attempt failed: accounts for it, and tries again or gives up. */
  failed(code: FailureCode, detail: string): void {
    const free = isFree(code) && this.#freeRetries < MAX_FREE_RETRIES;
    if (free) {
      this.#freeRetries++;
      this.count--;
      this.#release();
    } else {
      if (nothingSent(code)) {
        this.#unsent++;
        this.#lostMs += this.elapsedMs;
      }
      this.blame(code);
      (this.#tried ??= []).push(this.endpoint!);
    }
    this.#lastFailure = code;
    this.#lastDetail = detail;
    this.#retryOrGiveUp(code, detail);
  }

  /** The attempt failed when nothing can be done about it any more. */
  blame(code: FailureCode): void {
    const endpoint = this.endpoint!;
    endpoint.stats.errors++;
    endpoint.latency?.observeFailure(this.elapsedMs, turnNowMs());
    this.#shared.observer.observe(this.#l7Pool.pool, endpoint, code, 0);
    this.#release();
  }

  #judge(code: FailureCode): RetryVerdict {
    return judgeRetry(this.#l7Pool.pool, {
      code,
      method: this.#owner.request.method,
      attempts: this.count - this.#unsent,
      reach: { failures: this.#unsent, lostMs: this.#lostMs },
      replayable: this.#owner.replayable,
      charged: this.#charged,
    });
  }

  #retryOrGiveUp(code: FailureCode, detail: string): void {
    const verdict = this.#judge(code);
    if (verdict === 'no') this.#owner.onGivenUp(code, detail);
    else if (verdict === 'unreachable') this.#giveUpWithoutEndpoint();
    else if (verdict === 'now' && this.#retry(code)) return;
    else this.#waitForBudget(code, detail);
  }

  #waitForBudget(code: FailureCode, detail: string): void {
    const nowMs = turnNowMs();
    if (this.#budgetSinceMs < 0) this.#budgetSinceMs = nowMs;
    if (nowMs - this.#budgetSinceMs > BUDGET_PATIENCE_MS || this.#owner.clientEnded) {
      this.#l7Pool.pool.stats.retriesDenied++;
      this.#owner.onGivenUp(code, detail);
      return;
    }
    const delayMs = backoffMs(this.#costlyRetries + 1, this.#shared.random);
    this.#after(delayMs, () => this.#retryOrGiveUp(code, detail));
  }

  /** False when the budget has no place. */
  #retry(code: FailureCode): boolean {
    const { pool } = this.#l7Pool;
    // Where the endpoint may have worked on it, another attempt adds to its work: that is what the budget bounds.
    const costly = FAILURES[code].retry !== 'safe' && !isFree(code);
    if (costly && !this.#charged) {
      if (!pool.counts.activeRetries.take(retryBudget(pool))) return false;
      this.#charged = true;
    }
    this.#retries++;
    pool.stats.retries++;
    if (costly) this.#costlyRetries++;
    if (costly && this.#costlyRetries > 1)
      this.#after(backoffMs(this.#costlyRetries, this.#shared.random), () => this.#attempt());
    else this.#attempt();
    return true;
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelWait = this.#shared.clock.after(delayMs, () => {
      this.#cancelWait = undefined;
      runTurn(run);
    });
  }

  /** Lets go of queue, dial, wait and place, whichever there is. */
  leave(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    if (this.#ticket !== undefined) {
      this.#l7Pool.queue.leave(this.#ticket);
      this.#ticket = undefined;
    }
    this.#connector?.cancel(this);
    this.#connector = undefined;
    this.#release();
  }

  /** Gives back the place at the endpoint, once for each time it was taken. */
  #release(): void {
    if (!this.#acquired) return;
    this.#acquired = false;
    this.#shared.balancer.release(this.#l7Pool.pool, this.endpoint!);
    this.#l7Pool.queue.wake(this.endpoint);
  }
}
