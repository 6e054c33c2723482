import { createHmac } from 'node:crypto';

import type { AffinityConfig } from '../../config/schema/filters.ts';
import { cookieName, cookieValue } from '../../model/cookies.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { type FieldLine, fieldLine, fieldName, type Fields } from '../../model/fields.ts';
import type { Affinity } from '../../model/filter.ts';
import type { RequestHead, ResponseHead } from '../../model/message.ts';
import type { Pool } from '../../model/pool.ts';

type CookieConfig = AffinityConfig['cookie'];

const TOKEN_BYTES = 16;
/** Key without a configured secret: values say nothing of addresses, but whoever knows pool and endpoint names can make them. */
const PUBLIC_KEY = 'pointsman affinity';
const CACHE_CONTROL = fieldName('cache-control');
const PRIVATE = fieldLine('Cache-Control', 'private');
const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const satisfies Record<
  CookieConfig['sameSite'],
  string
>;

/** What stands for an endpoint in a cookie: 128 bits of HMAC-SHA256 (RFC 2104) over pool and endpoint name. */
function tokenOf(endpoint: Endpoint, config: CookieConfig): string {
  const mac = createHmac('sha256', config.secret ?? PUBLIC_KEY).update(`${endpoint.pool}\0${endpoint.name}`);
  return mac.digest().subarray(0, TOKEN_BYTES).toString('base64url');
}

function cookieLine(token: string, config: CookieConfig, secure: boolean): FieldLine {
  const parts = [`${config.name}=${token}`, `Path=${config.path}`];
  if (config.domain !== undefined) parts.push(`Domain=${config.domain}`);
  if (config.maxAge !== undefined) parts.push(`Max-Age=${Math.ceil(config.maxAge / 1000)}`);
  if (secure) parts.push('Secure');
  if (config.httpOnly) parts.push('HttpOnly');
  parts.push(`SameSite=${SAME_SITE[config.sameSite]}`);
  return fieldLine('Set-Cookie', parts.join('; '));
}

/** Whether shared caches are told already not to store the response (RFC 9111 section 5.2.2). */
function isPrivate(fields: Fields): boolean {
  for (let line = fields.indexOf(CACHE_CONTROL); line >= 0; line = fields.indexOf(CACHE_CONTROL, line + 1)) {
    if (/(?:^|[\s,])(?:private|no-store)(?:$|[\s,])/i.test(fields.value(line))) return true;
  }
  return false;
}

interface Binding {
  readonly token: string;
  /** The Set-Cookie line on plain and on TLS connections. */
  readonly lines: readonly [plain: FieldLine, secure: FieldLine];
}

/**
 * Affinity by a cookie of ours. The value names an endpoint by a keyed digest of its name, never by its address, so it
 * survives restarts and a change of address, is the same on every balancer with the same secret, and cannot be
 * turned towards a place that is not in the pool. Any other value is ignored.
 */
export class CookieAffinity implements Affinity {
  readonly #pool: Pool;
  readonly #config: CookieConfig;
  readonly #name: Buffer;
  readonly #bindings = new WeakMap<Endpoint, Binding>();
  /** Endpoints by token, for the list below. */
  readonly #byToken = new Map<string, Endpoint>();
  #known: readonly Endpoint[] = [];

  constructor(pool: Pool, config: AffinityConfig) {
    this.#pool = pool;
    this.#config = config.cookie;
    this.#name = cookieName(config.cookie.name);
  }

  bound(request: RequestHead): Endpoint | undefined {
    const value = cookieValue(request.fields, this.#name);
    if (value === undefined) return undefined;
    const { all } = this.#pool.view;
    if (all !== this.#known) this.#learn(all);
    return this.#byToken.get(value);
  }

  bind(head: ResponseHead, endpoint: Endpoint, secure: boolean): void {
    const setting = this.#config.secure;
    const { lines } = this.#bindingOf(endpoint);
    head.fields.add(lines[setting === 'always' || (setting === 'auto' && secure) ? 1 : 0]);
    if (this.#config.noCache && !isPrivate(head.fields)) head.fields.add(PRIVATE);
  }

  #learn(all: readonly Endpoint[]): void {
    this.#byToken.clear();
    for (const endpoint of all) this.#byToken.set(this.#bindingOf(endpoint).token, endpoint);
    this.#known = all;
  }

  #bindingOf(endpoint: Endpoint): Binding {
    const known = this.#bindings.get(endpoint);
    if (known !== undefined) return known;
    const token = tokenOf(endpoint, this.#config);
    const binding: Binding = {
      token,
      lines: [cookieLine(token, this.#config, false), cookieLine(token, this.#config, true)],
    };
    this.#bindings.set(endpoint, binding);
    return binding;
  }
}
