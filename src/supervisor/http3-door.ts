import { formatAddress } from '../config/address.ts';
import type { HttpListenerConfig, ListenerConfig } from '../config/schema/listener.ts';
import type { ListenerTlsConfig } from '../config/schema/tls.ts';
import { L7Listener } from '../l7/l7-listener.ts';
import { fieldLine } from '../model/fields.ts';
import { type Http3Certificate, type Http3Server, serveHttp3 } from '../net/http3-server.ts';
import { certificateNames, certificatesOf } from '../util/certificates.ts';
import { certificateText } from './listener-tls.ts';

/** Those that there are, each for every name that it is for; the first is for clients that name none. */
function certificatesFor({ certificates, acme }: ListenerTlsConfig): Http3Certificate[] {
  const named: Http3Certificate[] = [];
  for (const one of [...certificates, ...acme]) {
    const text = certificateText(one);
    const [leaf] = text.cert === '' ? [] : certificatesOf(text.cert);
    if (leaf === undefined) continue;
    if (named.length === 0) named.push({ ...text, serverName: undefined });
    for (const serverName of one.names ?? certificateNames(leaf)) named.push({ ...text, serverName });
  }
  return named;
}

/** Whether a listener is to serve HTTP/3, and can. */
function wantsHttp3(config: ListenerConfig): config is HttpListenerConfig & { tls: ListenerTlsConfig } {
  return (
    config.protocol === 'http' &&
    config.tls?.alpn.includes('h3') === true &&
    certificatesFor(config.tls).length > 0
  );
}

/** The UDP port of a listener on which HTTP/3 is spoken. Every worker opens its own; the system spreads connections over them. */
export class Http3Door {
  readonly #config: HttpListenerConfig;
  readonly #port: number;
  readonly #server: Http3Server;
  #to: L7Listener;

  private constructor(config: HttpListenerConfig & { tls: ListenerTlsConfig }, port: number, to: L7Listener) {
    this.#config = config;
    this.#port = port;
    this.#to = to;
    this.#server = serveHttp3({
      host: config.address.host,
      port,
      certificates: certificatesFor(config.tls),
      idleTimeoutMs: config.timeouts.idle,
      accept: (exchange) => this.#to.acceptHttp3(exchange),
    });
  }

  /**
   * The door of a listener, `known` when it is as it has to be; undefined when it needs none. New certificates need a new one, and
   * connections of the old one end with their requests.
   * @param port TCP port of the listener.
   * @throws Error naming the listener when the port cannot be had.
   */
  static for(
    config: ListenerConfig,
    port: number,
    to: unknown,
    known: Http3Door | undefined,
  ): Http3Door | undefined {
    if (!wantsHttp3(config) || !(to instanceof L7Listener)) return undefined;
    if (known !== undefined && known.#port === port && Bun.deepEquals(known.#config.tls, config.tls))
      return known;
    try {
      return new Http3Door(config, port, to);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const address = formatAddress({ host: config.address.host, port });
      throw new Error(`listener ${config.name}: HTTP/3 on UDP ${address}: ${reason}`, { cause });
    }
  }

  /** In force from now on, for that listener. */
  leadTo(listener: L7Listener): void {
    this.#to = listener;
    const { altSvc } = this.#config.tls!;
    if (altSvc === false) return;
    const value = `h3=":${altSvc.port ?? this.#port}"; ma=${Math.round(altSvc.maxAge / 1000)}`;
    listener.secureLines.altSvc = fieldLine('Alt-Svc', value);
  }

  /** Takes no more requests; those under way go on. */
  stop(): void {
    this.#to.secureLines.altSvc = undefined;
    this.#server.stop();
  }
}
