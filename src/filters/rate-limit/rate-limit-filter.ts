import { createHash } from 'node:crypto';

import { defaultBurst, parseRate } from '../../config/rate.ts';
import type { RateLimitFilterConfig } from '../../config/schema/filters.ts';
import { failureReply } from '../../http/local-reply.ts';
import { fieldLine, fieldName } from '../../model/fields.ts';
import type { Filter, FilterContext, FilterVerdict, LocalReply } from '../../model/filter.ts';
import type { Log } from '../../model/ports.ts';
import { clientNetwork } from '../../util/ip.ts';
import { privateTokenTable, TokenTable, tokenTableBytes } from '../../util/token-table.ts';

const HEADER = 'header:';
/** Longer keys are kept as their digest, so that clients cannot fill memory with them. */
const LONGEST_KEY = 64;
const WARN_EVERY_MS = 60_000;

type KeyOf = (context: FilterContext) => string;

function bounded(key: string): string {
  return key.length <= LONGEST_KEY ? key : `\0${createHash('sha256').update(key).digest('base64')}`;
}

/** A client that leaves the header out is known by its address, marked so that no header value can pass for it. */
function keyFunction(config: RateLimitFilterConfig): KeyOf {
  if (config.key === 'route') return () => '';
  const client: KeyOf = ({ clientIp }) => clientNetwork(clientIp);
  if (config.key === 'client-ip') return client;
  const name = fieldName(config.key.slice(HEADER.length));
  return (context) => {
    const value = context.request.fields.get(name);
    return value === undefined || value === '' ? `\0${client(context)}` : bounded(value);
  };
}

/** Bytes of memory that the tokens of a filter need. */
export function rateLimitBytes({ maxKeys }: RateLimitFilterConfig): number {
  return tokenTableBytes(maxKeys);
}

/** `rateLimit`: answers 429 when a key has no token left. */
export class RateLimitFilter implements Filter {
  readonly name = 'rateLimit';
  readonly #table: TokenTable;
  readonly #maxKeys: number;
  readonly #keyOf: KeyOf;
  readonly #policy: string;
  readonly #log: Log;
  #forgotten = 0;
  #warnedMs = Number.NEGATIVE_INFINITY;
  /** The last refusal: under attack the same is given again and again. */
  #refusal: LocalReply | undefined = undefined;
  #refusalSeconds = -1;

  /**
   * @param memory `rateLimitBytes` of it, where the tokens lie that are counted together; left out, they are counted here alone.
   * @throws RangeError on a rate that the configuration check refuses.
   */
  constructor(config: RateLimitFilterConfig, log: Log, memory?: Uint8Array) {
    const rate = parseRate(config.rate);
    if (rate === undefined) throw new RangeError(`not a rate: ${config.rate}`);
    const burst = config.burst ?? defaultBurst(rate);
    const intervalMs = rate.periodMs / rate.requests;
    this.#maxKeys = config.maxKeys;
    this.#table =
      memory === undefined
        ? privateTokenTable(intervalMs, burst, config.maxKeys)
        : new TokenTable(intervalMs, burst, config.maxKeys, memory);
    this.#keyOf = keyFunction(config);
    this.#policy = `"${config.key.startsWith(HEADER) ? 'header' : config.key}";q=${rate.requests};w=${rate.periodMs / 1000}`;
    this.#log = log;
  }

  onRequest(context: FilterContext): FilterVerdict {
    const waitMs = this.#table.take(this.#keyOf(context), context.nowMs);
    if (this.#table.forgotten !== this.#forgotten) this.#warn(context);
    return waitMs === 0 ? undefined : this.#refuse(Math.ceil(waitMs / 1000));
  }

  /** 429 with Retry-After and the fields of draft-ietf-httpapi-ratelimit-headers. */
  #refuse(seconds: number): LocalReply {
    if (this.#refusal === undefined || this.#refusalSeconds !== seconds) {
      const policy = this.#policy.slice(0, this.#policy.indexOf(';'));
      this.#refusalSeconds = seconds;
      const { fields, ...reply } = failureReply('rate_limited');
      this.#refusal = {
        ...reply,
        fields: [
          ...fields,
          fieldLine('Retry-After', String(seconds)),
          fieldLine('RateLimit-Policy', this.#policy),
          fieldLine('RateLimit', `${policy};r=0;t=${seconds}`),
        ],
      };
    }
    return this.#refusal;
  }

  #warn({ nowMs, routeName }: FilterContext): void {
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#log.warn('rate-limit-table-full', {
      route: routeName,
      keys: this.#maxKeys,
      forgotten: this.#table.forgotten - this.#forgotten,
      reason: 'more keys than maxKeys; those forgotten start with a full bucket',
    });
    this.#forgotten = this.#table.forgotten;
    this.#warnedMs = nowMs;
  }
}
