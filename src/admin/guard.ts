import { createHash, timingSafeEqual } from 'node:crypto';

import { isLoopbackHost, type AdminConfig } from '../config/schema/admin.ts';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Who may ask: checked before anything is looked up. */
export interface Guard {
  /** Whether the Host header names us. */
  allowsHost(hostField: string | null): boolean;
  /** Whether the request has the token, or none is asked for. */
  trusts(authorization: string | null): boolean;
}

/** On a unix socket the file's mode has judged already, and no web page comes here. */
export const SOCKET_GUARD: Guard = { allowsHost: () => true, trusts: () => true };

/** Guards the TCP listener. */
export class NetworkGuard implements Guard {
  readonly #boundHost: string;
  readonly #tokenDigest: Buffer | undefined;

  constructor(config: AdminConfig) {
    this.#boundHost = config.address.host.toLowerCase();
    this.#tokenDigest = config.token === undefined ? undefined : digest(config.token);
  }

  /**
   * On loopback any Host but ours is a web page whose name was pointed at 127.0.0.1 to
   * read what the browser may reach (DNS rebinding). Elsewhere the token protects. Only HTTP/1.0 comes without a Host,
   * and no browser speaks it.
   */
  allowsHost(hostField: string | null): boolean {
    if (hostField === null || hostField === '' || !isLoopbackHost(this.#boundHost)) return true;
    const match = /^(?:\[([0-9a-f:.]+)\]|([^[\]:@/,\s]+))(?::\d{1,5})?$/i.exec(hostField);
    const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
    return isLoopbackHost(host) || host === this.#boundHost;
  }

  /** Takes the same time for every wrong token. */
  trusts(authorization: string | null): boolean {
    if (this.#tokenDigest === undefined) return true;
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    return token !== undefined && timingSafeEqual(digest(token), this.#tokenDigest);
  }
}

/**
 * Whether a request that changes something was sent by a web page of another origin: browsers say so, and a page must not drain
 * endpoints of whoever looks at it. Programs send no Origin.
 */
export function isForeignOrigin(headers: Headers): boolean {
  const origin = headers.get('origin');
  if (origin === null) return false;
  return URL.parse(origin)?.host !== headers.get('host');
}
