import type { PoolConfig } from '../config/schema/pool.ts';
import { Connector, type ConnectorSettings } from '../connector/connector.ts';
import { BoundConnectors } from '../connector/bound-connectors.ts';
import { PoolQueue } from '../connector/queue.ts';
import type { EndpointConnector } from '../connector/endpoint-connector.ts';
import { SharedConnector, type SharedConnectorSettings } from '../connector/shared-connector.ts';
import { type EndpointTimeouts, H1EndpointConnection } from '../http/h1-client.ts';
import { H2EndpointConnection } from '../http/h2-client.ts';
import type { H2ClientSettings } from '../http/h2-client-settings.ts';
import type { H2EndpointStream } from '../http/h2-client-stream.ts';
import type { EndpointStream } from '../http/streams.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Affinity } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import type { Pool } from '../model/pool.ts';
import type { dial } from '../net/dial.ts';
import type { Origin } from '../net/origin.ts';
import { dialIntroduced, introductionOf } from '../net/proxy-protocol/introduction.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';

/** What is linked to a pool from outside this room. */
export interface L7PoolParts {
  readonly affinity: Affinity | undefined;
  /** Unsigned 32-bit hash of what the pool hashes on, or -1; undefined when its policy does not hash. */
  readonly hashKey: ((request: RequestHead, clientIp: string) => number) | undefined;
  /** Statuses on which an idempotent request is tried again; undefined for none. */
  readonly retryStatus: ((status: number) => boolean) | undefined;
  /** Statuses of gRPC on which a call is tried again that got nothing else; undefined for none. */
  readonly retryGrpcStatus: ((status: number) => boolean) | undefined;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function connectorSettings({
  timeouts,
  maxIdleConnections,
  http2,
}: PoolConfig): ConnectorSettings & SharedConnectorSettings {
  return {
    connectTimeoutMs: timeouts.connect,
    maxAgeMs: timeouts.maxAge,
    maxIdle: maxIdleConnections,
    streams: http2.streams,
  };
}

function codecSettings({ timeouts, http2 }: PoolConfig): EndpointTimeouts & H2ClientSettings {
  return { ...timeouts, ...http2, pingInterval: http2.pingInterval ?? 0 };
}

/** A pool as HTTP exchanges use it: its endpoints' connections, its queue, and what its configuration asks of them. */
export class L7Pool {
  readonly pool: Pool;
  affinity: Affinity | undefined;
  hashKey: ((request: RequestHead, clientIp: string) => number) | undefined;
  retryStatus: ((status: number) => boolean) | undefined;
  retryGrpcStatus: ((status: number) => boolean) | undefined;
  readonly queue: PoolQueue;
  readonly #wheel: TimerWheel;
  readonly #dial: typeof dial;
  readonly #connectors = new Map<Endpoint, EndpointConnector<EndpointStream>>();
  /** Read by every connection and connector whenever they need them, so that a reload reaches those that are open. */
  readonly #timeouts: Mutable<EndpointTimeouts & H2ClientSettings>;
  readonly #connecting: Mutable<ConnectorSettings & SharedConnectorSettings>;
  /** Of pools that tell endpoints whom each connection is for. */
  readonly #bound = new Map<Endpoint, BoundConnectors<EndpointConnector<EndpointStream>>>();
  #proxyProtocol: PoolConfig['proxyProtocol'];
  #protocol: PoolConfig['protocol'];
  #closed = false;

  constructor(pool: Pool, parts: L7PoolParts, wheel: TimerWheel, connect: typeof dial) {
    this.pool = pool;
    this.affinity = parts.affinity;
    this.hashKey = parts.hashKey;
    this.retryStatus = parts.retryStatus;
    this.retryGrpcStatus = parts.retryGrpcStatus;
    this.#wheel = wheel;
    this.#dial = connect;
    this.#timeouts = codecSettings(pool.config);
    this.#proxyProtocol = pool.config.proxyProtocol;
    this.#protocol = pool.config.protocol;
    this.#connecting = connectorSettings(pool.config);
    this.queue = new PoolQueue(wheel, pool);
  }

  /** Adopts what a new configuration asks of it; connections and whoever waits in the queue stay. */
  configure(config: PoolConfig, parts: L7PoolParts): void {
    this.affinity = parts.affinity;
    this.hashKey = parts.hashKey;
    this.retryStatus = parts.retryStatus;
    this.retryGrpcStatus = parts.retryGrpcStatus;
    Object.assign(this.#timeouts, codecSettings(config));
    Object.assign(this.#connecting, connectorSettings(config));
    if (config.protocol === this.#protocol && Bun.deepEquals(config.proxyProtocol, this.#proxyProtocol))
      return;
    // Connections that are open were begun in another way.
    this.#protocol = config.protocol;
    this.#proxyProtocol = config.proxyProtocol;
    this.forget([...this.#connectors.keys(), ...this.#bound.keys()]);
  }

  /** Endpoints that the pool has no longer, or talks to in another way: idle connections close now, the others when their exchange is over. */
  forget(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      this.#connectors.get(endpoint)?.close();
      this.#connectors.delete(endpoint);
      this.#bound.get(endpoint)?.close();
      this.#bound.delete(endpoint);
    }
  }

  /** Connections to `endpoint` that `client` may use: those of everybody, or its own where each begins with the name of its client. */
  connectorFor(endpoint: Endpoint, client: Origin): EndpointConnector<EndpointStream> {
    const proxyProtocol = this.#proxyProtocol;
    if (proxyProtocol === undefined) return this.connector(endpoint);
    return this.#boundTo(endpoint).get(client, () =>
      this.#create(endpoint, dialIntroduced(this.#dial, introductionOf(client, proxyProtocol))),
    );
  }

  /** Connections to `endpoint` that are anybody's. */
  connector(endpoint: Endpoint): EndpointConnector<EndpointStream> {
    const known = this.#connectors.get(endpoint);
    if (known !== undefined) return known;
    const connector = this.#create(endpoint, this.#dial);
    this.#connectors.set(endpoint, connector);
    return connector;
  }

  #boundTo(endpoint: Endpoint): BoundConnectors<EndpointConnector<EndpointStream>> {
    const known = this.#bound.get(endpoint);
    if (known !== undefined) return known;
    const bound = new BoundConnectors<EndpointConnector<EndpointStream>>();
    this.#bound.set(endpoint, bound);
    return bound;
  }

  /** All connectors to `endpoint`. */
  #connectorsTo(endpoint: Endpoint): EndpointConnector<EndpointStream>[] {
    const shared = this.#connectors.get(endpoint);
    return [...(shared === undefined ? [] : [shared]), ...(this.#bound.get(endpoint)?.all() ?? [])];
  }

  /** Connections to `endpoint` that wait for requests. */
  idleConnections(endpoint: Endpoint): number {
    return this.#connectorsTo(endpoint).reduce((sum, { idleCount }) => sum + idleCount, 0);
  }

  #create(endpoint: Endpoint, connect: typeof dial): EndpointConnector<EndpointStream> {
    const connector =
      this.#protocol === 'http1' ? this.#http1(endpoint, connect) : this.#http2(endpoint, connect);
    if (this.#closed) connector.close();
    return connector;
  }

  #http1(endpoint: Endpoint, connect: typeof dial): EndpointConnector<EndpointStream> {
    return new Connector<H1EndpointConnection>(
      endpoint,
      this.#connecting,
      this.#wheel,
      connect,
      (connection, owner) =>
        new H1EndpointConnection(connection, owner, this.#timeouts, this.#wheel, turnNowMs()),
    );
  }

  #http2(endpoint: Endpoint, connect: typeof dial): EndpointConnector<EndpointStream> {
    return new SharedConnector<H2EndpointConnection, H2EndpointStream>(
      endpoint,
      this.#connecting,
      this.#wheel,
      connect,
      (connection, owner) =>
        new H2EndpointConnection(
          connection,
          owner,
          this.#timeouts,
          this.#wheel,
          this.#protocol === 'h2',
          turnNowMs(),
        ),
    );
  }

  /** The endpoint was found unhealthy: requests that it has not begun to answer are failed over, idle connections closed. */
  abandon(endpoint: Endpoint, reason: string): void {
    for (const connector of this.#connectorsTo(endpoint)) connector.abandon('endpoint_unhealthy', reason);
  }

  /** Keeps no connection any more: those in use close when their exchange is over. */
  close(): void {
    this.#closed = true;
    for (const connector of this.#connectors.values()) connector.close();
    for (const bound of this.#bound.values()) bound.close();
  }
}
