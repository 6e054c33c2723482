import type { Connector, SessionWaiter } from '../connector/connector.ts';
import type { QueueTicket, QueueWaiter } from '../connector/queue.ts';
import type { H1EndpointConnection } from '../http/h1-client.ts';
import { hasBody } from '../http/h1-request.ts';
import { currentDate, failureReply, replyHead } from '../http/local-reply.ts';
import type { ClientStream, EndpointStream, RequestConsumer, ResponseConsumer } from '../http/streams.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Fields } from '../model/fields.ts';
import type { FilterContext, LocalReply } from '../model/filter.ts';
import { Framing, type RequestHead, type ResponseHead } from '../model/message.ts';
import type { PickRequest } from '../model/picker.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { normalisePath } from '../util/uri-path.ts';
import type { ClientForwarding } from './client-forwarding.ts';
import type { L7Listener } from './l7-listener.ts';
import type { L7Pool } from './l7-pool.ts';
import { applyMaxForwards } from './max-forwards.ts';
import { RequestBody } from './request-body.ts';
import { backoffMs, isFree, isIdempotent, judgeRetry } from './retry.ts';
import { type CompiledRoute, pickArm, redirectReply } from './route.ts';
import { Tunnel } from './tunnel.ts';

/** For requests without one; never changes, because no piece ever comes. */
const NO_BODY = new RequestBody();
const NONE_TRIED: readonly Endpoint[] = [];

/** How long an exchange waits for a place in the retry budget, milliseconds. */
const BUDGET_PATIENCE_MS = 2000;

/** Whether a request carries a binding to an endpoint of that pool. */
function isBound(l7Pool: L7Pool, request: RequestHead): boolean {
  return l7Pool.affinity?.bound(request) !== undefined;
}

const Stage = { Routing: 0, Waiting: 1, Asking: 2, Answering: 3, Tunnel: 4, Over: 5 } as const;
type StageName = (typeof Stage)[keyof typeof Stage];

/**
 * One request from its head to the end of its response, whatever the version of HTTP on either side:
 * route -> filters -> { pick and acquire -> connect, or wait in the queue -> forward } -> finish, once.
 */
export class Exchange
  implements
    RequestConsumer,
    ResponseConsumer,
    SessionWaiter<H1EndpointConnection>,
    QueueWaiter,
    PickRequest,
    FilterContext
{
  readonly client: ClientStream;
  readonly request: RequestHead;
  readonly startMs: number;
  clientIp = '';
  status = 0;
  failure: FailureCode | '' = '';
  attempts = 0;
  ttfbMs = -1;
  queuedMs = 0;
  connectMs = 0;
  reused = false;
  responseBytes = 0;
  route: CompiledRoute<L7Pool> | undefined = undefined;
  l7Pool: L7Pool | undefined = undefined;
  endpoint: Endpoint | undefined = undefined;
  readonly body: RequestBody;
  /** Bytes of the request body, or through the tunnel, that came from the client. */
  requestBytes = 0;
  hash = -1;
  readonly #listener: L7Listener;
  #stage: StageName = Stage.Routing;
  #tried: Endpoint[] | undefined = undefined;
  #bound: Endpoint | undefined = undefined;
  #acquired = false;
  #stream: EndpointStream | undefined = undefined;
  #connector: Connector<H1EndpointConnection> | undefined = undefined;
  #ticket: QueueTicket | undefined = undefined;
  #sinceMs = 0;
  #retries = 0;
  #charged = false;
  #budgetSinceMs = -1;
  #cancelWait: (() => void) | undefined = undefined;
  #deadline: Deadline | undefined = undefined;
  #lastFailure: FailureCode | undefined = undefined;
  #lastDetail = '';
  #filtersRun = false;

  constructor(listener: L7Listener, client: ClientStream) {
    this.#listener = listener;
    this.client = client;
    this.request = client.request;
    this.startMs = turnNowMs();
    this.body = hasBody(client.request) ? new RequestBody() : NO_BODY;
  }

  /** The request target as the client sent it. */
  get target(): string {
    return this.request.rawPath + this.request.rawQuery;
  }

  get secure(): boolean {
    return this.client.secure;
  }

  get routeName(): string {
    return this.route?.name ?? '';
  }

  get nowMs(): number {
    return turnNowMs();
  }

  get tried(): readonly Endpoint[] {
    return this.#tried ?? NONE_TRIED;
  }

  // ---- route and filters ----

  start(): void {
    const { request } = this;
    const path = request.path === '*' ? '*' : normalisePath(request.path);
    if (path === undefined) {
      this.clientIp = this.client.remoteAddress;
      this.#fail('request_target', '');
      return;
    }
    request.path = path;
    const forwarding = this.client.context as ClientForwarding;
    const refused = forwarding.apply(request);
    this.clientIp = forwarding.ip;
    if (refused !== undefined) {
      this.#fail(refused, '');
      return;
    }
    if (request.method === 'OPTIONS') {
      const answer = applyMaxForwards(request);
      if (answer !== undefined) {
        this.#reply(answer);
        return;
      }
    }
    const route = this.#listener.router.route(request, this.clientIp);
    if (route === undefined) {
      this.#fail('no_route', '');
      return;
    }
    this.route = route;
    const routeStats = this.#listener.stats.routes[route.index];
    if (routeStats !== undefined) routeStats.requests++;
    if (route.filters.length > 0) this.#runFilters(route, 0);
    else this.#act(route);
  }

  #runFilters(route: CompiledRoute<L7Pool>, from: number): void {
    this.#filtersRun = true;
    for (let index = from; index < route.filters.length; index++) {
      const filter = route.filters[index]!;
      if (filter.onRequest === undefined) continue;
      const verdict = filter.onRequest(this);
      if (verdict === undefined) continue;
      if (verdict instanceof Promise) {
        verdict.then(
          (later) => runTurn(() => this.#afterFilter(route, index, later)),
          (error: unknown) => runTurn(() => this.#defect(error)),
        );
        return;
      }
      this.#reply(verdict);
      return;
    }
    this.#act(route);
  }

  #afterFilter(route: CompiledRoute<L7Pool>, index: number, verdict: LocalReply | undefined): void {
    if (this.#stage !== Stage.Routing) return;
    if (verdict === undefined) this.#runFilters(route, index + 1);
    else this.#reply(verdict);
  }

  #defect(error: unknown): void {
    this.#listener.shared.log.error('defect', {
      where: 'filter',
      error: error instanceof Error ? error.stack : String(error),
    });
    if (this.#stage !== Stage.Over) this.#fail('internal_error', '');
  }

  #act(route: CompiledRoute<L7Pool>): void {
    const { action } = route;
    switch (action.kind) {
      case 'pool':
        this.#enterPool(action.pool);
        break;
      case 'split':
        this.#enterPool(pickArm(action, this.#listener.shared.random, this.request, isBound));
        break;
      case 'reply':
        this.#reply(action.reply);
        break;
      case 'redirect':
        this.#reply(redirectReply(action, this.request));
        break;
    }
  }

  #enterPool(l7Pool: L7Pool): void {
    this.l7Pool = l7Pool;
    const { pool } = l7Pool;
    pool.activeRequests++;
    pool.stats.requests++;
    if (l7Pool.hashKey !== undefined) this.hash = l7Pool.hashKey(this.request, this.clientIp);
    const { deadline } = pool.config.retry;
    if (deadline !== undefined) {
      this.#deadline = new Deadline(this.#listener.shared.wheel, this);
      this.#deadline.start(deadline);
    }
    if (l7Pool.affinity !== undefined) this.#bound = l7Pool.affinity.bound(this.request);
    this.#attempt();
  }

  // ---- attempts ----

  #attempt(): void {
    this.#stage = Stage.Waiting;
    const l7Pool = this.l7Pool!;
    const endpoint = this.#choose(l7Pool);
    if (endpoint === undefined) {
      this.#queueOrFail(l7Pool);
      return;
    }
    this.#connect(l7Pool, endpoint);
  }

  /** The endpoint that the client is bound to while it may be used, else one by the policy. */
  #choose(l7Pool: L7Pool): Endpoint | undefined {
    const bound = this.#bound;
    if (bound !== undefined && !this.tried.includes(bound) && availability(bound, turnNowMs()) !== 'closed') {
      return bound.full ? undefined : bound;
    }
    if (bound !== undefined && l7Pool.pool.config.affinity?.strict === true) return undefined;
    return this.#listener.shared.balancer.pick(l7Pool.pool, this);
  }

  #queueOrFail(l7Pool: L7Pool): void {
    const { pool } = l7Pool;
    if (this.#bound !== undefined && pool.config.affinity?.strict === true && !this.#boundIsFull()) {
      this.#fail('affinity_unavailable', '');
    } else if (this.#anyFull(pool.view.available)) {
      const { size, timeout } = pool.config.queue;
      this.#ticket = l7Pool.queue.enter(this, size, timeout);
      pool.queued = l7Pool.queue.length;
      this.#sinceMs = turnNowMs();
      if (this.#ticket === undefined) {
        pool.stats.queueFull++;
        this.#fail('queue_full', '');
      }
    } else {
      this.#failWithoutEndpoint(l7Pool);
    }
  }

  #boundIsFull(): boolean {
    return (
      this.#bound !== undefined && availability(this.#bound, turnNowMs()) !== 'closed' && this.#bound.full
    );
  }

  #anyFull(available: readonly Endpoint[]): boolean {
    if (this.#boundIsFull()) return true;
    for (const endpoint of available) if (endpoint.full && !this.tried.includes(endpoint)) return true;
    return false;
  }

  /** None is left. When an endpoint that was reached answered badly, that is what the client hears. */
  #failWithoutEndpoint(l7Pool: L7Pool): void {
    l7Pool.pool.stats.noEndpoint++;
    const last = this.#lastFailure;
    if (last === undefined || FAILURES[last].phase === 'connect') {
      this.#fail('no_endpoint', last === undefined ? '' : `last attempt: ${last}`);
    } else {
      this.#fail(last, this.#lastDetail);
    }
  }

  onRoom(): boolean {
    const l7Pool = this.l7Pool!;
    const endpoint = this.#choose(l7Pool);
    if (endpoint === undefined) return false;
    this.#ticket = undefined;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    this.#connect(l7Pool, endpoint);
    return true;
  }

  onQueueTimeout(): void {
    this.#ticket = undefined;
    const l7Pool = this.l7Pool!;
    l7Pool.pool.queued = l7Pool.queue.length;
    l7Pool.pool.stats.queueTimeouts++;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    this.#fail('queue_timeout', '');
  }

  #connect(l7Pool: L7Pool, endpoint: Endpoint): void {
    this.#listener.shared.balancer.acquire(l7Pool.pool, endpoint);
    this.#acquired = true;
    this.endpoint = endpoint;
    this.attempts++;
    endpoint.stats.requests++;
    if (this.#retries > 0) endpoint.stats.retries++;
    const connector = l7Pool.connector(endpoint);
    const session = connector.take();
    if (session === undefined) {
      this.#connector = connector;
      this.#sinceMs = turnNowMs();
      connector.dial(this);
    } else {
      this.connectMs = 0;
      this.#forward(session);
    }
  }

  onSession(session: H1EndpointConnection): void {
    this.#connector = undefined;
    this.connectMs = turnNowMs() - this.#sinceMs;
    this.#forward(session);
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#connector = undefined;
    this.#attemptFailed(code, detail);
  }

  #forward(session: H1EndpointConnection): void {
    this.#stream = session;
    this.#stage = Stage.Asking;
    this.#sinceMs = turnNowMs();
    const { request, body } = this;
    if (request.authority === '') request.authority = this.endpoint!.name;
    session.sendRequest(request, this);
    this.reused = session.reused;
    if (body === NO_BODY) return;
    body.sendTo(session);
    if (!this.#mayReplay(body)) body.release();
    if (!session.congested) this.client.resumeRequest();
  }

  #mayReplay(body: RequestBody): boolean {
    return isIdempotent(this.request.method) && !body.exceeds(this.l7Pool!.pool.config.retry.bufferSize);
  }

  // ---- the request ----

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    const { body } = this;
    body.bytes += end - start;
    this.requestBytes = body.bytes;
    if (this.#stage < Stage.Asking) {
      body.hold(bytes, start, end);
      // Nobody takes it yet: a bounded part is held, the rest waits with the client.
      if (body.exceeds(this.l7Pool?.pool.config.retry.bufferSize ?? 0)) this.client.pauseRequest();
      return;
    }
    const stream = this.#stream;
    if (stream === undefined) return;
    if (this.#stage === Stage.Asking && body.replayable) {
      body.hold(bytes, start, end);
      if (!this.#mayReplay(body)) body.release();
    }
    stream.sendBody(bytes, start, end);
  }

  onRequestEnd(trailers: Fields | undefined): void {
    this.body.end(trailers);
    if (this.#stage >= Stage.Asking) this.#stream?.sendEnd(trailers);
  }

  onRequestFailed(code: FailureCode): void {
    if (this.#stage === Stage.Over) return;
    const gone = code === 'client_closed' || code === 'client_too_slow';
    this.#leaveEndpoint();
    if (!gone && this.#stage !== Stage.Answering) {
      this.#fail(code, '');
      return;
    }
    this.failure = code;
    if (this.status === 0) this.status = FAILURES[code].status;
    this.#finish();
    if (!gone) this.client.abort();
  }

  onClientEnd(): void {
    // A client that has closed cannot be told from one that waits for its answer; but nobody waits in a queue for someone who may be gone.
    if (this.#ticket === undefined) return;
    this.onRequestFailed('client_closed');
    this.client.abort();
  }

  onClientCongested(): void {
    this.#stream?.pauseResponse();
  }

  onClientDrain(): void {
    this.#stream?.resumeResponse();
  }

  // ---- the response ----

  onInformational(head: ResponseHead): void {
    this.client.sendInformational(head);
  }

  onResponse(head: ResponseHead): void {
    const endpoint = this.endpoint!;
    const { retryStatus } = this.l7Pool!;
    if (head.status === 101) {
      this.#onSwitch(head);
      return;
    }
    const { status } = head;
    if (retryStatus !== undefined && retryStatus(status) && this.#mayRetry('response_status')) {
      const stream = this.#stream!;
      this.#stream = undefined;
      stream.abort();
      this.#attemptFailed('response_status', `status ${status}`);
      return;
    }
    const nowMs = turnNowMs();
    endpoint.stats.statuses[(status / 100) | 0]!++;
    endpoint.latency?.observe(nowMs - this.#sinceMs, nowMs);
    this.#stage = Stage.Answering;
    if (this.body.replayable) this.body.release();
    this.ttfbMs = nowMs - this.startMs;
    this.status = status;
    this.#decorate(head);
    this.client.sendHead(head);
  }

  /** Date, affinity and response filters. */
  #decorate(head: ResponseHead): void {
    // RFC 9110 section 6.6.1: a response without Date gets the time at which it came.
    if (!head.dated) head.fields.add(currentDate());
    const affinity = this.l7Pool?.affinity;
    if (affinity !== undefined && this.#bound !== this.endpoint)
      affinity.bind(head, this.endpoint!, this.secure);
    if (this.#filtersRun) this.#responseFilters(head);
  }

  #responseFilters(head: ResponseHead): void {
    for (const filter of this.route!.filters) filter.onResponse?.(this, head);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.responseBytes += end - start;
    this.client.sendBody(bytes, start, end);
  }

  onResponseEnd(trailers: Fields | undefined, bytesReceived: number, bytesSent: number): void {
    const endpoint = this.endpoint!;
    this.#stream = undefined;
    endpoint.stats.bytesIn += bytesReceived;
    endpoint.stats.bytesOut += bytesSent;
    endpoint.stats.latency.record(turnNowMs() - this.#sinceMs);
    // Only now: an endpoint that cuts its answers short would look well by their heads.
    this.#listener.shared.observer.observe(this.l7Pool!.pool, endpoint, undefined, this.status);
    this.#release();
    const { client } = this;
    this.#finish();
    client.sendEnd(trailers);
  }

  onEndpointCongested(): void {
    this.client.pauseRequest();
  }

  onEndpointDrain(): void {
    this.client.resumeRequest();
  }

  #onSwitch(head: ResponseHead): void {
    const { request } = this;
    if (request.upgrade === '' || head.upgrade !== request.upgrade) {
      const stream = this.#stream!;
      this.#stream = undefined;
      stream.abort();
      this.#attemptFailed('response_upgrade', '');
      return;
    }
    const endpoint = this.endpoint!;
    const { stats, shared, timeouts } = this.#listener;
    endpoint.stats.statuses[1]!++;
    shared.observer.observe(this.l7Pool!.pool, endpoint, undefined, 101);
    this.status = 101;
    this.ttfbMs = turnNowMs() - this.startMs;
    this.#decorate(head);
    this.#stage = Stage.Tunnel;
    stats.tunnelsOpen++;
    endpoint.tunnels++;
    const tunnel = new Tunnel(
      this.client.startTunnel(head),
      this.#stream!.startTunnel(),
      shared.wheel,
      timeouts.tunnel,
      () => this.#onTunnelOver(tunnel),
    );
    this.#stream = undefined;
    this.#listener.tunnels.set(tunnel, endpoint);
    tunnel.begin();
  }

  #onTunnelOver(tunnel: Tunnel): void {
    const endpoint = this.endpoint!;
    this.#listener.stats.tunnelsOpen--;
    endpoint.tunnels--;
    this.#listener.tunnels.delete(tunnel);
    endpoint.stats.bytesIn += tunnel.bytesToClient;
    endpoint.stats.bytesOut += tunnel.bytesToEndpoint;
    this.responseBytes = tunnel.bytesToClient;
    this.requestBytes = tunnel.bytesToEndpoint;
    if (tunnel.failure !== undefined) this.failure = tunnel.failure;
    this.#release();
    this.#finish();
  }

  // ---- failures ----

  onAttemptFailed(code: FailureCode, detail: string): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined && this.endpoint !== undefined) {
      this.endpoint.stats.bytesIn += stream.bytesReceived;
      this.endpoint.stats.bytesOut += stream.bytesSent;
    }
    this.#attemptFailed(code, detail);
  }

  /** The attempt is over: account for it, then try again, answer, or cut. */
  #attemptFailed(code: FailureCode, detail: string): void {
    const endpoint = this.endpoint!;
    const { pool } = this.l7Pool!;
    if (isFree(code)) {
      this.attempts--;
    } else {
      endpoint.stats.errors++;
      endpoint.latency?.observeFailure(turnNowMs() - this.#sinceMs, turnNowMs());
      this.#listener.shared.observer.observe(pool, endpoint, code, 0);
    }
    this.#release();
    this.#lastFailure = code;
    this.#lastDetail = detail;
    if (this.#stage === Stage.Answering) {
      this.failure = code;
      this.#finish();
      this.client.abort();
      return;
    }
    this.#stage = Stage.Waiting;
    if (!isFree(code)) (this.#tried ??= []).push(endpoint);
    this.#retryOrFail(code, detail);
  }

  #mayRetry(code: FailureCode): boolean {
    return this.#judge(code) !== 'no';
  }

  #judge(code: FailureCode): 'no' | 'now' | 'later' {
    return judgeRetry(this.l7Pool!.pool, {
      code,
      method: this.request.method,
      attempts: this.attempts,
      replayable: this.body.replayable,
      charged: this.#charged,
    });
  }

  #retryOrFail(code: FailureCode, detail: string): void {
    const { pool } = this.l7Pool!;
    const verdict = this.#judge(code);
    if (verdict === 'no') {
      this.#fail(code, detail);
      return;
    }
    const proof = FAILURES[code].retry;
    if (verdict === 'later') {
      const nowMs = turnNowMs();
      if (this.#budgetSinceMs < 0) this.#budgetSinceMs = nowMs;
      if (nowMs - this.#budgetSinceMs > BUDGET_PATIENCE_MS) {
        pool.stats.retriesDenied++;
        this.#fail(code, detail);
        return;
      }
      this.#after(backoffMs(this.#retries + 1, this.#listener.shared.random), () =>
        this.#retryOrFail(code, detail),
      );
      return;
    }
    this.#retries++;
    pool.stats.retries++;
    if (proof === 'idempotent' && !isFree(code) && !this.#charged) {
      this.#charged = true;
      pool.activeRetries++;
    }
    if (this.#retries > 1 && proof === 'idempotent' && !isFree(code))
      this.#after(backoffMs(this.#retries, this.#listener.shared.random), () => this.#attempt());
    else this.#attempt();
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelWait = this.#listener.shared.clock.after(delayMs, () => {
      this.#cancelWait = undefined;
      runTurn(run);
    });
  }

  onDeadline(): void {
    if (this.#stage === Stage.Over || this.#stage >= Stage.Answering) return;
    this.#leaveEndpoint();
    this.#fail('deadline', '');
  }

  onCut(): void {
    if (this.#stage === Stage.Over) return;
    this.#leaveEndpoint();
    if (this.#stage < Stage.Answering) {
      this.#fail('shutting_down', '');
      return;
    }
    this.failure = 'shutting_down';
    this.#finish();
    this.client.abort();
  }

  #fail(code: FailureCode, detail: string): void {
    this.failure = code;
    // Whoever sent something that is in doubt is not listened to any longer.
    if (FAILURES[code].phase === 'request') this.client.closeAfterResponse();
    this.#reply(failureReply(code, detail));
  }

  /** Answers without an endpoint. */
  #reply(reply: LocalReply): void {
    const { client } = this;
    if (reply.failure !== undefined) this.failure = reply.failure;
    const head = replyHead(reply);
    if (this.#filtersRun && this.failure === '') this.#responseFilters(head);
    this.status = reply.status;
    this.ttfbMs = turnNowMs() - this.startMs;
    const bodyless = this.request.method === 'HEAD' || head.framing === Framing.None;
    if (!bodyless) this.responseBytes = reply.body.length;
    this.#finish();
    client.sendHead(head);
    if (!bodyless) client.sendBody(reply.body, 0, reply.body.length);
    client.sendEnd(undefined);
  }

  // ---- the end ----

  /** Lets go of queue, dial, wait or endpoint connection, whichever there is. */
  #leaveEndpoint(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    if (this.#ticket !== undefined) {
      const { queue, pool } = this.l7Pool!;
      queue.leave(this.#ticket);
      pool.queued = queue.length;
      this.#ticket = undefined;
    }
    this.#connector?.cancel(this);
    this.#connector = undefined;
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined && this.endpoint !== undefined) {
      this.endpoint.stats.bytesIn += stream.bytesReceived;
      this.endpoint.stats.bytesOut += stream.bytesSent;
      stream.abort();
    }
    this.#release();
  }

  /** Gives back the place at the endpoint, once for each time it was taken. */
  #release(): void {
    if (!this.#acquired) return;
    this.#acquired = false;
    const l7Pool = this.l7Pool!;
    this.#listener.shared.balancer.release(l7Pool.pool, this.endpoint!);
    l7Pool.wakeQueue();
  }

  #finish(): void {
    if (this.#stage === Stage.Over) return;
    this.#stage = Stage.Over;
    this.#deadline?.cancel();
    const { l7Pool } = this;
    if (l7Pool !== undefined) {
      l7Pool.pool.activeRequests--;
      if (this.#charged) l7Pool.pool.activeRetries--;
    }
    if (this.#filtersRun) for (const filter of this.route!.filters) filter.onFinish?.(this);
    this.body.release();
    this.#listener.finished(this);
  }
}
