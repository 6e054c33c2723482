import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import type { TallyClaim } from '../model/shared/tally-table.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { ConnectionSide } from '../net/connection-side.ts';
import { Relay, type RelayEnding, type RelayMeter } from '../net/relay.ts';
import { Deadline, type Timed } from '../net/timer-wheel.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';
import { ALERT, closeWithAlert } from '../net/tls-hello/fatal-alert.ts';
import { turnNowMs } from '../net/turn.ts';
import type { Enlisted } from '../util/roster.ts';
import type { L4Pool } from './l4-pool.ts';
import { TcpAttempts, type TcpAttemptsOwner } from './tcp-attempts.ts';
import type { L4Shared } from './l4-shared.ts';
import type { TcpTarget } from './tcp-listener.ts';
import { type PrereadOwner, TlsPreread } from './tls-preread.ts';
import type { TlsGreeting, TlsRoute } from './tls-router.ts';

const NOTHING = Buffer.alloc(0);

const FAILURE_OF_ENDING: Readonly<Record<RelayEnding, FailureCode | undefined>> = {
  ended: undefined,
  'client-gone': 'client_closed',
  'endpoint-gone': 'endpoint_reset',
  idle: 'session_idle',
  'client-stalled': 'session_idle',
  asked: undefined,
};

/** What of a listener's configuration is for its sessions. */
export type SessionSettings = Pick<TcpListenerConfig, 'timeouts' | 'keepAlive'> & {
  readonly limits: Pick<TcpListenerConfig['limits'], 'clientHelloBytes'>;
};

/** Who has sessions. */
export interface TcpSessionOwner {
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L4Shared;
  readonly config: SessionSettings;
  /** The route of a TLS client; undefined when none takes it. */
  route(greeting: TlsGreeting): TlsRoute<TcpTarget> | undefined;
  /** The pool for one session. */
  draw(target: TcpTarget): L4Pool;
  /** It is over. */
  finished(session: TcpSession): void;
}

/**
 * One TCP session: a client's connection, and the one to its endpoint. The endpoint is dialled at once, for in many protocols the
 * server speaks first; until it is there nothing is read from the client, so that its first bytes wait in the kernel. Where the
 * client's TLS decides who the endpoint is, its ClientHello is read before, and passed on as it came.
 */
export class TcpSession
  implements ConnectionHandler, TcpAttemptsOwner, PrereadOwner, RelayMeter, Timed, Enlisted
{
  place = -1;
  readonly startMs: number = turnNowMs();
  /** What its client has of the limit for one; undefined when that is not counted. */
  readonly claim: TallyClaim | undefined;
  /** Why it ended, as far as it was not by both sides. */
  failure: FailureCode | undefined = undefined;
  readonly #listener: TcpSessionOwner;
  /** Undefined until it is known where it goes. */
  #attempts: TcpAttempts | undefined = undefined;
  #pool: L4Pool | undefined = undefined;
  #preread: TlsPreread | undefined = undefined;
  #hello: ClientHello | undefined = undefined;
  #route: TlsRoute<TcpTarget> | undefined = undefined;
  readonly #client: Connection;
  /** When it is as old as it may get. */
  readonly #oldest: Deadline | undefined;
  /** What came although the client was held back. */
  #early: Buffer = NOTHING;
  #relay: Relay | undefined = undefined;
  #over = false;

  constructor(listener: TcpSessionOwner, client: Connection, claim: TallyClaim | undefined) {
    const { shared, config } = listener;
    this.#listener = listener;
    this.#client = client;
    this.claim = claim;
    this.#oldest = config.timeouts.session === 0 ? undefined : new Deadline(shared.wheel, this);
    this.#oldest?.start(config.timeouts.session);
  }

  /** The endpoint that it was given; undefined before. */
  get endpoint(): Endpoint | undefined {
    return this.#attempts?.endpoint;
  }

  isOf(listener: TcpSessionOwner): boolean {
    return this.#listener === listener;
  }

  /** Looks for an endpoint. False when there is none: then it is over already. */
  begin(pool: L4Pool): boolean {
    this.#client.pause();
    this.#pool = pool;
    const serverName = this.#hello?.serverName ?? '';
    this.#attempts = new TcpAttempts(pool, this.#client, serverName, this.#listener.shared, this);
    const failure = this.#attempts.begin();
    if (failure !== undefined) this.#finish(failure);
    return failure === undefined;
  }

  /** Waits for what a TLS client says first: that decides where it goes. */
  preread(): void {
    const { config, shared } = this.#listener;
    const limits = { timeoutMs: config.timeouts.clientHello, maxBytes: config.limits.clientHelloBytes };
    this.#preread = new TlsPreread(limits, shared.wheel, this);
  }

  onHello(hello: ClientHello, bytes: Buffer): void {
    this.#preread = undefined;
    this.#hello = hello;
    const route = this.#listener.route(hello);
    if (route === undefined) this.onNoHello('hello_no_route', ALERT.UNRECOGNIZED_NAME);
    else this.resume(hello, bytes, route);
  }

  /** Goes where the route leads. `bytes` have come already, the ClientHello among them. */
  resume(hello: ClientHello, bytes: Buffer, route: TlsRoute<TcpTarget>): void {
    this.#hello = hello;
    this.#route = route;
    this.#early = Buffer.from(bytes);
    if (!this.begin(this.#listener.draw(route.target))) this.#client.reset();
  }

  onNoHello(code: FailureCode, alert: Buffer | undefined): void {
    this.#finish(code);
    if (alert === undefined) this.#client.reset();
    else closeWithAlert(this.#client, this.#listener.shared.wheel, alert);
  }

  // ---- the client, as long as there is no endpoint ----

  onData(bytes: Buffer): void {
    if (this.#preread === undefined) this.#early = Buffer.concat([this.#early, bytes]);
    else this.#preread.take(bytes);
  }

  onEnd(): void {
    // Half a ClientHello leads nowhere.
    if (this.#preread !== undefined) this.onGivenUp('client_closed');
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#finish('client_closed');
  }

  // ---- the endpoint ----

  onReached(connection: Connection): ConnectionHandler {
    const { shared, config } = this.#listener;
    const { keepAlive, timeouts } = config;
    if (keepAlive > 0) {
      this.#client.keepAlive(keepAlive);
      connection.keepAlive(keepAlive);
    }
    const client = new ConnectionSide(this.#client, this.#early);
    const endpoint = new ConnectionSide(connection, NOTHING);
    const onEnd = (relay: Relay): void => this.#finish(this.failure ?? FAILURE_OF_ENDING[relay.ending!]);
    const times = { idleMs: timeouts.idle, sendMs: timeouts.idle };
    const relay = new Relay(client, endpoint, shared.wheel, times, onEnd, this);
    this.#relay = relay;
    this.#early = NOTHING;
    this.endpoint!.counts.sessions.add(1);
    relay.begin();
    return connection.handler;
  }

  onGivenUp(code: FailureCode): void {
    this.#finish(code);
    this.#client.reset();
  }

  relayed(bytesToEndpoint: number, bytesToClient: number): void {
    const { stats } = this.#listener;
    const endpoint = this.endpoint!.stats;
    stats.bytesIn += bytesToEndpoint;
    stats.bytesOut += bytesToClient;
    endpoint.bytesOut += bytesToEndpoint;
    endpoint.bytesIn += bytesToClient;
  }

  // ---- the end ----

  onDeadline(): void {
    this.shutdown('session_expired');
  }

  /** Asks both sides to end, and cuts them soon if they do not. */
  shutdown(failure: FailureCode): void {
    this.#end(failure, (relay) => relay.shutdown());
  }

  /** Ends at once: both sides are reset. */
  cut(failure: FailureCode): void {
    this.#end(failure, (relay) => relay.cut());
  }

  #end(failure: FailureCode, how: (relay: Relay) => void): void {
    if (this.#over) return;
    if (this.#relay === undefined) {
      this.onGivenUp(failure);
      return;
    }
    this.failure ??= failure;
    how(this.#relay);
  }

  #finish(failure: FailureCode | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.failure = failure;
    this.#oldest?.cancel();
    this.#preread?.cancel();
    this.#preread = undefined;
    if (this.#relay !== undefined) this.endpoint!.counts.sessions.add(-1);
    this.#attempts?.end();
    this.#listener.finished(this);
  }

  /** Its part of the access log. */
  summary(): Omit<SessionEntry, 'startWallMs' | 'durationMs' | 'listener' | 'protocol' | 'failure'> {
    const { count = 0, queuedMs = 0, connectMs = 0 } = this.#attempts ?? {};
    return {
      route: this.#route?.name ?? '',
      serverName: this.#hello?.serverName ?? '',
      alpn: this.#hello?.alpn.join(',') ?? '',
      pool: this.#pool?.pool.name ?? '',
      endpoint: this.endpoint?.name ?? '',
      clientIp: this.#client.remoteAddress,
      clientPort: this.#client.remotePort,
      peerIp: this.#client.peerAddress,
      peerPort: this.#client.peerPort,
      requestBytes: this.#relay?.bytesToEndpoint ?? 0,
      responseBytes: this.#relay?.bytesToClient ?? 0,
      attempts: count,
      queuedMs,
      connectMs,
    };
  }
}
