import { createHash, timingSafeEqual } from 'node:crypto';

import { isLoopbackHost, type AdminConfig } from '../config/schema/admin.ts';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Who may ask: checked before anything is looked up. */
export class Guard {
  readonly #boundHost: string;
  readonly #tokenDigest: Buffer | undefined;

  constructor(config: AdminConfig) {
    this.#boundHost = config.address.host.toLowerCase();
    this.#tokenDigest = config.token === undefined ? undefined : digest(config.token);
  }

  /**
   * Whether the Host header names us. On loopback anything else is a web page whose name was pointed at 127.0.0.1 to
   * read what the browser may reach (DNS rebinding). Elsewhere the token protects. Only HTTP/1.0 comes without a Host,
   * and no browser speaks it.
   */
  allowsHost(hostField: string | null): boolean {
    if (hostField === null || hostField === '' || !isLoopbackHost(this.#boundHost)) return true;
    const match = /^(?:\[([0-9a-f:.]+)\]|([^[\]:@/,\s]+))(?::\d{1,5})?$/i.exec(hostField);
    const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
    return isLoopbackHost(host) || host === this.#boundHost;
  }

  /** Whether the request has the token, or none is asked for. Takes the same time for every wrong one. */
  trusts(authorization: string | null): boolean {
    if (this.#tokenDigest === undefined) return true;
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    return token !== undefined && timingSafeEqual(digest(token), this.#tokenDigest);
  }
}
