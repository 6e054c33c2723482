import type { Http3Exchange, Http3Handler } from './http3-exchange.ts';
import { Http3RuntimeExchange } from './http3-runtime-exchange.ts';
import { runTurn } from './turn.ts';

/** A certificate that the server offers, for the names in it. */
export interface Http3Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Of the key; empty for none. */
  readonly passphrase: string;
  /** Chosen by SNI; undefined for the default. */
  readonly serverName: string | undefined;
}

export interface Http3Options {
  readonly host: string;
  readonly port: number;
  readonly certificates: readonly Http3Certificate[];
  /** Without progress, milliseconds. */
  readonly idleTimeoutMs: number;
  /** Serves a request; called in a turn. */
  readonly accept: (exchange: Http3Exchange) => Http3Handler;
}

/** Listens on UDP. */
export interface Http3Server {
  /** Takes no more requests; those under way go on. */
  stop(): void;
}

/** The runtime holds idle timeouts of up to this many seconds. */
const LONGEST_IDLE_SECONDS = 255;

/**
 * Opens the UDP port. Several processes may share it.
 * @throws Error when the address cannot be had, or a certificate is not one.
 */
export function serveHttp3(options: Http3Options): Http3Server {
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    http3: true,
    http1: false,
    reusePort: true,
    development: false,
    idleTimeout: Math.min(LONGEST_IDLE_SECONDS, Math.ceil(options.idleTimeoutMs / 1000)),
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    tls: options.certificates.map(({ cert, key, passphrase, serverName }) => ({
      cert,
      key,
      ...(passphrase === '' ? {} : { passphrase }),
      ...(serverName === undefined ? {} : { serverName }),
    })),
    fetch: (request, listening) => {
      const peer = listening.requestIP(request);
      const exchange = new Http3RuntimeExchange(request, peer?.address ?? '', peer?.port ?? 0);
      runTurn(() => exchange.begin(options.accept(exchange)));
      return exchange.response;
    },
    error: () => new Response(null, { status: 500 }),
  });
  return {
    stop: () => void server.stop(),
  };
}
