import { H1ServerConnection } from '../http/h1-server.ts';
import type { ServerSettings } from '../http/server-settings.ts';
import { H2ServerConnection } from '../http/h2-server.ts';
import { H3ServerStream } from '../http/h3-server.ts';
import { routeNames } from '../config/route-names.ts';
import type { ClientStream, RequestConsumer, RequestHandler } from '../http/streams.ts';
import type { HttpListenerConfig } from '../config/schema/listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Http3Exchange, Http3Handler } from '../net/http3-exchange.ts';
import type { Acceptor } from '../net/listen.ts';
import {
  type IntroducedAcceptor,
  ProxyEntrance,
  proxyRulesOf,
} from '../net/proxy-protocol/proxy-entrance.ts';
import type { HandshakeFailure } from '../net/tls/handshake-failure.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';
import { runTurn } from '../net/turn.ts';
import { Roster } from '../util/roster.ts';
import type { Exchange } from './exchange.ts';
import { recordExchange, recordRefusal } from './exchange-record.ts';
import { OpenTunnels } from './open-tunnels.ts';
import type { ForwardingPolicy } from './client-forwarding.ts';
import type { ClientSession } from './client-session.ts';
import { PrefaceClient, type PrefaceClientOwner } from './preface-client.ts';
import type { L7Pool } from './l7-pool.ts';
import type { L7Shared } from './l7-shared.ts';
import type { PassedOn, PassThrough } from './pass-through.ts';
import type { Router } from './router.ts';
import { SecureLines } from './secure-lines.ts';
import { type ServingParts, servingSettings } from './serving-settings.ts';
import { SpareExchanges } from './spare-exchanges.ts';
import { type ListenerTls, TlsClient, type TlsClientOwner } from './tls-client.ts';

export type { L7Shared } from './l7-shared.ts';

/** How long a connection of a listener that leaves is open for one more request, milliseconds. */
const LAST_REQUEST_MS = 1000;

/** Serves the HTTP clients of one listener. */
export class L7Listener
  implements Acceptor, IntroducedAcceptor, RequestHandler, PrefaceClientOwner, TlsClientOwner
{
  readonly transport = 'tcp';
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L7Shared;
  timeouts: HttpListenerConfig['timeouts'];
  router: Router<L7Pool>;
  readonly secureLines: SecureLines;
  readonly tunnels: OpenTunnels;
  /** Takes those clients whose TLS is passed on. */
  passThrough: PassThrough | undefined = undefined;
  #requests = 0;
  readonly #spareExchanges = new SpareExchanges(this);
  readonly #connections = new Roster<ClientSession>();
  readonly #http3 = new Set<H3ServerStream>();
  readonly #entrance: ProxyEntrance;
  #tls: ListenerTls | undefined;
  #settings: ServerSettings;
  #maxConnections: number;
  #cleartextHttp2: boolean;

  constructor(
    config: HttpListenerConfig,
    router: Router<L7Pool>,
    forwarding: ForwardingPolicy,
    stats: ListenerStats,
    shared: L7Shared,
    tls: ListenerTls | undefined,
  ) {
    this.name = config.name;
    this.stats = stats;
    this.shared = shared;
    this.tunnels = new OpenTunnels(stats, shared);
    this.timeouts = config.timeouts;
    this.router = router;
    this.#tls = tls;
    this.secureLines = new SecureLines(config);
    this.#maxConnections = config.limits.connections;
    this.#entrance = new ProxyEntrance(proxyRulesOf(config.proxyProtocol), shared.wheel, this);
    this.#cleartextHttp2 = config.http2.cleartext;
    this.#settings = servingSettings(config, forwarding, this.#servingParts);
    this.stats.nameRoutes(() => routeNames(config));
  }

  /**
   * Adopts a new configuration. Nothing is closed: requests under way end as they began, and the next one of a connection
   * follows the new routes, limits and timeouts.
   */
  configure(
    config: HttpListenerConfig,
    router: Router<L7Pool>,
    forwarding: ForwardingPolicy,
    tls: ListenerTls | undefined,
  ): void {
    const settings = servingSettings(config, forwarding, this.#servingParts, this.#settings);
    this.#settings.successor = settings;
    // What they remember keeps nothing of the old configuration alive.
    this.#spareExchanges.clear();
    this.#settings = settings;
    this.timeouts = config.timeouts;
    this.router = router;
    this.#tls = tls;
    this.secureLines.configure(config);
    this.#maxConnections = config.limits.connections;
    this.#entrance.rules = proxyRulesOf(config.proxyProtocol);
    this.#cleartextHttp2 = config.http2.cleartext;
    this.stats.nameRoutes(() => routeNames(config));
  }

  get #servingParts(): ServingParts {
    return { handler: this, wheel: this.shared.wheel, stats: this.stats.http2 };
  }

  /** How TLS is spoken to clients; undefined when it is not. */
  get tls(): ListenerTls | undefined {
    return this.#tls;
  }

  accept(connection: Connection): ConnectionHandler | undefined {
    const { stats } = this;
    if (!stats.connections.take(this.#maxConnections)) {
      stats.connectionsRejected++;
      stats.countFailure('connection_limit');
      return undefined;
    }
    const handler = this.#entrance.enter(connection);
    if (handler === undefined) {
      stats.connections.give();
      return undefined;
    }
    stats.connectionsTotal++;
    return handler;
  }

  onIntroduced(connection: Connection): ConnectionHandler {
    const tls = this.#tls;
    const session =
      tls !== undefined
        ? new TlsClient(connection, tls, this.shared.wheel, this)
        : this.#cleartextHttp2
          ? new PrefaceClient(connection, this, this.shared.wheel, this.timeouts.idle)
          : this.serveHttp1(connection);
    this.#connections.add(session);
    return session;
  }

  passOn(connection: Connection, hello: ClientHello, bytes: Buffer): PassedOn | undefined {
    return this.passThrough?.take(connection, hello, bytes);
  }

  /** Requests, tunnels and sessions that are under way. */
  get busy(): number {
    return this.#requests + (this.passThrough?.busy ?? 0);
  }

  /** Whether a client is still being told that its connection ends, or taking its last response. */
  get parting(): boolean {
    for (const connection of this.#connections) if (connection.parting) return true;
    return false;
  }

  serveHttp1(connection: Connection): ClientSession {
    return new H1ServerConnection(connection, this.#settings);
  }

  serveHttp2(connection: Connection): ClientSession {
    return new H2ServerConnection(connection, this.#settings);
  }

  /** Who speaks the protocol that was agreed on: HTTP/1.1 when nothing was. */
  serveSecure(connection: Connection): ClientSession {
    this.stats.tls.succeeded(connection.tls!.resumed);
    return connection.tls!.alpn === 'h2' ? this.serveHttp2(connection) : this.serveHttp1(connection);
  }

  /** A request of a client that speaks HTTP/3. */
  acceptHttp3(exchange: Http3Exchange): Http3Handler {
    const stream = new H3ServerStream(exchange, this.#settings, () => this.#http3.delete(stream));
    this.#http3.add(stream);
    stream.begin();
    return stream;
  }

  handshakeFailed(connection: Connection, { reason, detail }: HandshakeFailure): void {
    this.stats.tls.failed(reason);
    const { log } = this.shared;
    log.debug('tls-handshake-failed', {
      listener: this.name,
      client: connection.remoteAddress,
      reason,
      detail,
    });
  }

  tlsViolated(connection: Connection, detail: string): void {
    this.stats.tls.violated();
    this.shared.log.debug('tls-violation', { listener: this.name, client: connection.remoteAddress, detail });
  }

  onNotIntroduced(code: FailureCode): void {
    this.stats.connectionsRejected++;
    this.stats.countFailure(code);
  }

  released(handler: ConnectionHandler): void {
    this.stats.connections.give();
    const session = this.#entrance.release(handler) as ClientSession | undefined;
    if (session === undefined) return;
    this.#connections.delete(session);
    session.recycle();
  }

  /** Whether that handler was given out here, and is not released yet. */
  serves(handler: ConnectionHandler): boolean {
    return this.#connections.has(handler as ClientSession) || this.#entrance.holds(handler);
  }

  onRequest(stream: ClientStream): RequestConsumer {
    const exchange = this.#spareExchanges.take(stream);
    this.#requests++;
    exchange.start();
    return exchange;
  }

  onRefused(stream: ClientStream, code: FailureCode): void {
    recordRefusal(this, stream, code);
  }

  /** An exchange is over. */
  finished(exchange: Exchange): void {
    this.#requests--;
    recordExchange(this, exchange);
    this.#spareExchanges.put(exchange);
  }

  /** No new requests: idle connections close now, busy ones after their response. */
  drain(): void {
    this.#settings.draining = true;
    this.#entrance.abandon();
    for (const connection of this.#connections) connection.drain();
  }

  /**
   * Nobody comes in any more: every connection ends with its next response. Those that stay idle are closed only after a moment, for a
   * request may be on its way.
   */
  leave(idleMs: number = LAST_REQUEST_MS): void {
    this.#settings.draining = true;
    this.shared.clock.after(idleMs, () => runTurn(() => this.drain()));
  }

  /** Asks both ends of the tunnels to `endpoint` to close. */
  closeSessions(endpoint: Endpoint): void {
    this.passThrough?.closeSessions(endpoint);
    this.tunnels.closeTo(endpoint);
  }

  /** Resets both ends of the tunnels to `endpoint`, which is down. */
  cutSessions(endpoint: Endpoint): void {
    this.passThrough?.cutSessions(endpoint);
    this.tunnels.cutTo(endpoint);
  }

  /** Ends what is still under way. Returns how many requests and tunnels that was. */
  cut(): number {
    const cut = this.busy;
    this.#entrance.abandon();
    this.tunnels.goAway();
    for (const connection of this.#connections) connection.cut();
    for (const stream of this.#http3) stream.cut();
    return cut;
  }
}
