import { formatAddress } from '../config/address.ts';
import { hasBody } from '../http/h1-request.ts';
import { grpcFailureHead } from '../http/grpc-reply.ts';
import { isGrpcCall } from '../http/grpc-request.ts';
import { currentDate, failureReply, replyHead } from '../http/local-reply.ts';
import type { ClientStream, EndpointStream, RequestConsumer, ResponseConsumer } from '../http/streams.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Fields } from '../model/fields.ts';
import type { Affinity, LocalReply } from '../model/filter.ts';
import { httpStatusOfGrpc } from '../model/grpc-status.ts';
import { Framing, type RequestHead, type ResponseHead } from '../model/message.ts';
import type { Origin } from '../net/origin.ts';
import type { Relay } from '../net/relay.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { turnNowMs, turnNumber } from '../net/turn.ts';
import { normalisePath } from '../util/uri-path.ts';
import { Attempts, type AttemptsOwner } from './attempts.ts';
import type { ClientForwarding } from './client-forwarding.ts';
import { FilterRun, type FilterRunOwner } from './filter-run.ts';
import { GrpcCall, grpcTrailers } from './grpc-call.ts';
import type { L7Listener } from './l7-listener.ts';
import type { L7Pool } from './l7-pool.ts';
import { RequestBody } from './request-body.ts';
import { isIdempotent } from './retry.ts';
import { type CompiledRoute, lacksHost, pickArm, redirectReply } from './route.ts';
import { unroutedAnswer } from './unrouted-answer.ts';

/** For requests without one; never changes, because no piece ever comes. */
const NO_BODY = new RequestBody();

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
export class Exchange implements RequestConsumer, ResponseConsumer, AttemptsOwner, FilterRunOwner {
  client: ClientStream;
  request: RequestHead;
  startMs = 0;
  clientIp = '';
  status = 0;
  failure: FailureCode | '' = '';
  ttfbMs = -1;
  reused = false;
  clientEnded = false;
  responseBytes = 0;
  route: CompiledRoute<L7Pool> | undefined = undefined;
  l7Pool: L7Pool | undefined = undefined;
  /** Undefined until a pool is chosen. */
  attempts: Attempts | undefined = undefined;
  body: RequestBody = NO_BODY;
  /** Bytes of the request body, or through the tunnel, that came from the client. */
  requestBytes = 0;
  readonly #listener: L7Listener;
  #stage: StageName = Stage.Routing;
  #deadline: Deadline | undefined = undefined;
  /** Undefined when the route has none. */
  #filters: FilterRun | undefined = undefined;
  /** Undefined when the request is no call of gRPC. */
  #grpc: GrpcCall | undefined = undefined;
  /** What it found endpoints with before, for use again. */
  #spareAttempts: Attempts | undefined = undefined;
  /** The turn in which it was over. */
  #restsSince = -1;

  constructor(listener: L7Listener, client: ClientStream) {
    this.#listener = listener;
    this.client = client;
    this.request = client.request;
    this.#begin(client);
  }

  #begin({ request, protocol }: ClientStream): void {
    this.startMs = turnNowMs();
    if (hasBody(request)) this.body = new RequestBody();
    if (protocol === 'HTTP/2' && isGrpcCall(request)) this.#grpc = new GrpcCall();
  }

  // ---- one life after the other ----

  /**
   * Whether it may serve another request, in a later turn: only one whose life was without incidents. Then nothing that knew it can call
   * it again: no filter, no timer, no tunnel, no endpoint but the one that has answered to the end.
   */
  rest(): boolean {
    const ordinary =
      this.failure === '' &&
      this.#filters === undefined &&
      this.status !== 101 &&
      this.attempts?.ordinary !== false;
    if (!ordinary) return false;
    this.#restsSince = turnNumber();
    this.#spareAttempts ??= this.attempts;
    this.attempts = undefined;
    this.route = undefined;
    this.l7Pool = undefined;
    this.body = NO_BODY;
    this.#grpc = undefined;
    return true;
  }

  /** What called it when it was over has returned. */
  get rested(): boolean {
    return this.#restsSince !== turnNumber();
  }

  /** Serves another request, after `rest`. */
  reuse(client: ClientStream): void {
    this.client = client;
    this.request = client.request;
    this.clientIp = '';
    this.status = 0;
    this.ttfbMs = -1;
    this.reused = false;
    this.clientEnded = false;
    this.responseBytes = 0;
    this.requestBytes = 0;
    this.#stage = Stage.Routing;
    this.#begin(client);
  }

  /** The request target as the client sent it. */
  get target(): string {
    return this.request.rawPath + this.request.rawQuery;
  }

  get origin(): Origin {
    return this.client.origin;
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

  // ---- route and filters ----

  start(): void {
    const refused = this.#normalise();
    if (refused !== undefined) {
      this.#fail(refused, '');
      return;
    }
    const { shared, router, stats } = this.#listener;
    const answer = unroutedAnswer(this.request, shared.challenges);
    if (answer !== undefined) {
      this.#reply(answer);
      return;
    }
    const route = router.route(this.request, this.clientIp);
    if (route === undefined) {
      this.#fail('no_route', '');
      return;
    }
    this.route = route;
    stats.countRoute(route.index);
    if (route.filters.length === 0) {
      this.#act(route);
      return;
    }
    this.#filters = new FilterRun(route.filters, this, shared);
    this.#filters.begin();
  }

  /** The path gets its one spelling, and who the client is becomes ours to say. */
  #normalise(): FailureCode | undefined {
    const { request, client } = this;
    const path = request.path === '*' ? '*' : normalisePath(request.path);
    if (path === undefined) {
      this.clientIp = client.origin.remoteAddress;
      return 'request_target';
    }
    request.path = path;
    const forwarding = client.context as ClientForwarding;
    const refused = forwarding.apply(request, client.protocol);
    this.clientIp = forwarding.ip;
    if (refused !== undefined) return refused;
    return client.protocol !== 'HTTP/2' && isGrpcCall(request) ? 'grpc_needs_http2' : undefined;
  }

  onFiltersPassed(): void {
    this.#act(this.route!);
  }

  onFilterReply(reply: LocalReply): void {
    this.#reply(reply);
  }

  onFilterFailed(code: FailureCode): void {
    this.#fail(code, '');
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
        if (lacksHost(action, this.request)) this.#fail('request_host', '');
        else this.#reply(redirectReply(action, this.request));
        break;
    }
  }

  #enterPool(l7Pool: L7Pool): void {
    this.l7Pool = l7Pool;
    this.#stage = Stage.Waiting;
    this.#grpc?.readTimeout(this.request);
    const { deadline = Number.POSITIVE_INFINITY } = l7Pool.pool.config.retry;
    const deadlineMs = Math.min(deadline, this.#grpcLeftMs());
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      this.#deadline ??= new Deadline(this.#listener.shared.wheel, this);
      this.#deadline.start(deadlineMs);
    }
    const attempts = this.#spareAttempts ?? new Attempts(this.#listener.shared, this);
    this.attempts = attempts;
    attempts.begin(l7Pool);
  }

  /** What is left of the time that a gRPC client gave; Infinity without a limit. */
  #grpcLeftMs(): number {
    const timeoutMs = this.#grpc?.timeoutMs ?? Number.POSITIVE_INFINITY;
    return Math.max(0, timeoutMs - (turnNowMs() - this.startMs));
  }

  onReached(session: EndpointStream): void {
    this.#stage = Stage.Asking;
    const { request, body } = this;
    // HTTP/1.0 need not name a host; the next hop is told its own address then.
    const nameless = request.authority === '';
    if (nameless) request.authority = formatAddress(this.attempts!.latest.endpoint!.config.address);
    this.#grpc?.tellTimeLeft(request, turnNowMs() - this.startMs);
    session.sendRequest(request, this);
    if (nameless) request.authority = '';
    // Told of before there was anything to hold back.
    if (this.client.congested) session.pauseResponse();
    this.reused = session.reused;
    if (body === NO_BODY) return;
    body.sendTo(session);
    if (!this.#mayReplay(body)) body.release();
    if (!session.congested) this.client.resumeRequest();
  }

  onGivenUp(code: FailureCode, detail: string): void {
    if (code === 'client_closed') this.#abandon();
    else this.#fail(code, detail);
  }

  get #stream(): EndpointStream | undefined {
    return this.attempts?.latest.stream;
  }

  get replayable(): boolean {
    return this.body.replayable;
  }

  #mayReplay(body: RequestBody): boolean {
    const useful = isIdempotent(this.request.method) || this.#stream?.mayRefuse === true;
    return useful && !body.exceeds(this.l7Pool!.pool.config.retry.bufferSize);
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
      if (this.#mayReplay(body)) body.hold(bytes, start, end);
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
    this.attempts?.leave();
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
    this.clientEnded = true;
    if (this.attempts?.queued === true) this.#abandon();
  }

  #abandon(): void {
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
    const { retryStatus } = this.l7Pool!;
    if (head.status === 101) {
      this.#onSwitch(head);
      return;
    }
    const { status } = head;
    const attempts = this.attempts!;
    if (retryStatus !== undefined && retryStatus(status) && attempts.wouldRetry('response_status')) {
      this.#rejectResponse('response_status', `status ${status}`);
      return;
    }
    if (this.#grpc !== undefined && this.#refusesCall(head, this.#grpc)) return;
    attempts.latest.answered(status);
    this.#stage = Stage.Answering;
    if (this.body.replayable) this.body.release();
    this.ttfbMs = turnNowMs() - this.startMs;
    this.status = status;
    this.#decorate(head);
    this.client.sendHead(head);
  }

  /** Whether the endpoint answered a call with nothing but a status on which it is tried again. */
  #refusesCall(head: ResponseHead, grpc: GrpcCall): boolean {
    grpc.onHead(head);
    const { retryGrpcStatus } = this.l7Pool!;
    if (grpc.status < 0 || retryGrpcStatus?.(grpc.status) !== true) return false;
    if (!this.attempts!.wouldRetry('response_grpc_status')) return false;
    this.#rejectResponse('response_grpc_status', `grpc-status ${grpc.status}`);
    return true;
  }

  /** Date, affinity and response filters. */
  #decorate(head: ResponseHead): void {
    // RFC 9110 section 6.6.1: a response without Date gets the time at which it came.
    if (!head.dated) head.fields.add(currentDate());
    if (this.secure) this.#listener.secureLines.addTo(head);
    const { affinity } = this.l7Pool!;
    if (affinity !== undefined) this.#bind(head, affinity);
    this.#filters?.respond(head);
  }

  #bind(head: ResponseHead, affinity: Affinity): void {
    const { choice, latest } = this.attempts!;
    if (choice.bound !== latest.endpoint) affinity.bind(head, latest.endpoint!, this.secure);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.responseBytes += end - start;
    this.client.sendBody(bytes, start, end);
  }

  onResponseEnd(trailers: Fields | undefined, bytesReceived: number, bytesSent: number): void {
    const { client } = this;
    const { latest } = this.attempts!;
    latest.streamEnded(bytesReceived, bytesSent);
    latest.succeeded(this.#grpc === undefined ? this.status : this.#callStatus(this.#grpc, trailers));
    this.#finish();
    client.sendEnd(trailers);
  }

  /** Counts the status of a call, and says which status of HTTP the endpoint is judged by. */
  #callStatus(grpc: GrpcCall, trailers: Fields | undefined): number {
    grpc.onTrailers(trailers);
    if (grpc.status < 0) return this.status;
    const { stats } = this.attempts!.latest.endpoint!;
    const status = httpStatusOfGrpc(grpc.status);
    stats.grpcStatuses[grpc.status]!++;
    if (status >= 500 && this.status < 500) stats.errors++;
    return status;
  }

  onEndpointCongested(): void {
    this.client.pauseRequest();
  }

  onEndpointDrain(): void {
    this.client.resumeRequest();
  }

  #onSwitch(head: ResponseHead): void {
    if (!this.client.answersUpgrade(head)) {
      this.#rejectResponse('response_upgrade', '');
      return;
    }
    const { latest } = this.attempts!;
    const endpoint = latest.endpoint!;
    const { tunnels, timeouts } = this.#listener;
    endpoint.stats.statuses[1]!++;
    latest.approve(101);
    this.status = 101;
    this.ttfbMs = turnNowMs() - this.startMs;
    this.#decorate(head);
    this.#stage = Stage.Tunnel;
    const clientSide = this.client.startTunnel(head);
    const endpointSide = latest.startTunnel();
    const times = { idleMs: timeouts.tunnel, sendMs: timeouts.send };
    tunnels.open(head.upgrade, clientSide, endpointSide, endpoint, times, (relay) =>
      this.#onTunnelOver(relay),
    );
  }

  #onTunnelOver({ bytesToClient, bytesToEndpoint, ending }: Relay): void {
    this.responseBytes = bytesToClient;
    this.requestBytes = bytesToEndpoint;
    if (ending === 'idle') this.failure = 'tunnel_idle';
    else if (ending === 'client-stalled') this.failure = 'client_too_slow';
    this.attempts!.leave();
    this.#finish();
  }

  // ---- failures ----

  onAttemptFailed(code: FailureCode, detail: string): void {
    const { latest } = this.attempts!;
    const { stream } = latest;
    if (stream !== undefined) latest.streamEnded(stream.bytesReceived, stream.bytesSent);
    this.#attemptFailed(code, detail);
  }

  #attemptFailed(code: FailureCode, detail: string): void {
    if (this.#stage === Stage.Answering) {
      this.attempts!.latest.blame(code);
      this.#breakOff(code, detail);
    } else {
      this.#stage = Stage.Waiting;
      this.attempts!.failed(code, detail);
    }
  }

  /** Refuses what the endpoint answered: its connection is of no use any more. */
  #rejectResponse(code: FailureCode, detail: string): void {
    this.attempts!.latest.abort();
    this.#attemptFailed(code, detail);
  }

  onDeadline(): void {
    if (this.#stage > Stage.Answering) return;
    const answering = this.#stage === Stage.Answering;
    const grpcLeftMs = this.#grpcLeftMs();
    if (answering && grpcLeftMs > 0) {
      // It was the time for all attempts; the client's own may still come.
      if (grpcLeftMs !== Number.POSITIVE_INFINITY) this.#deadline!.start(grpcLeftMs);
      return;
    }
    this.attempts?.leave();
    if (answering) this.#breakOff('deadline', '');
    else this.#fail('deadline', '');
  }

  onCut(): void {
    if (this.#stage === Stage.Over) return;
    this.attempts?.leave();
    if (this.#stage < Stage.Answering) {
      this.#fail('shutting_down', '');
      return;
    }
    this.#breakOff('shutting_down', '');
  }

  /** Ends a response that cannot go on, so that the client can tell. */
  #breakOff(code: FailureCode, detail: string): void {
    this.failure = code;
    this.#finish();
    if (this.#grpc === undefined) this.client.abort();
    else this.client.sendEnd(grpcTrailers(code, detail));
  }

  #fail(code: FailureCode, detail: string): void {
    this.failure = code;
    // Whoever sent something that is in doubt is not listened to any longer.
    if (FAILURES[code].phase === 'request') this.client.closeAfterResponse();
    if (this.#grpc === undefined) this.#reply(failureReply(code, detail));
    else this.#refuseCall(code, detail);
  }

  #refuseCall(code: FailureCode, detail: string): void {
    this.failure = code;
    this.#answer(grpcFailureHead(code, detail), undefined);
  }

  #reply(reply: LocalReply): void {
    if (reply.failure !== undefined) {
      if (this.#grpc !== undefined) {
        this.#refuseCall(reply.failure, '');
        return;
      }
      this.failure = reply.failure;
    }
    const head = replyHead(reply);
    if (this.secure) this.#listener.secureLines.addTo(head);
    if (this.failure === '') this.#filters?.respond(head);
    const bodyless = this.request.method === 'HEAD' || head.framing === Framing.None;
    this.#answer(head, bodyless ? undefined : reply.body);
  }

  /** Answers without an endpoint. */
  #answer(head: ResponseHead, body: Buffer | undefined): void {
    const { client } = this;
    this.status = head.status;
    this.ttfbMs = turnNowMs() - this.startMs;
    if (body !== undefined) this.responseBytes = body.length;
    this.#finish();
    client.sendHead(head);
    if (body !== undefined) client.sendBody(body, 0, body.length);
    client.sendEnd(undefined);
  }

  // ---- the end ----

  #finish(): void {
    if (this.#stage === Stage.Over) return;
    this.#stage = Stage.Over;
    this.#deadline?.cancel();
    this.attempts?.end();
    this.#filters?.finish();
    this.body.release();
    this.#listener.finished(this);
  }
}
