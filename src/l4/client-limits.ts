import { defaultBurst, parseRate } from '../config/rate.ts';
import type { FailureCode } from '../model/failures.ts';
import { clientNetwork } from '../util/ip.ts';
import { privateTokenTable, type TokenTable } from '../util/token-table.ts';

/** `limits.perClient` of a listener. */
interface PerClientConfig {
  /** Connections or sessions open at most; 0 is no limit. */
  readonly connections: number;
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
}

/** Clients whose rate is remembered; of more, those seen longest ago are forgotten. */
const MAX_CLIENTS = 100_000;

/** What one client, an IPv4 address or the /64 network of an IPv6 one, may take of a listener. */
export class ClientLimits {
  #config: PerClientConfig;
  #rates: TokenTable | undefined;
  /** Connections open, of clients that have any: as many as the listener has at most. */
  readonly #open = new Map<string, number>();

  constructor(config: PerClientConfig) {
    this.#config = config;
    this.#rates = tableOf(config);
  }

  /** Adopts other limits. Connections that were not counted because there was no limit stay uncounted. */
  configure(config: PerClientConfig): void {
    const { rate, burst } = this.#config;
    if (config.rate !== rate || config.burst !== burst) this.#rates = tableOf(config);
    this.#config = config;
  }

  /** Whether anything is limited. */
  get limits(): boolean {
    return this.#config.connections > 0 || this.#rates !== undefined;
  }

  /** What clients are counted as; undefined when nothing is limited. */
  keyOf(clientIp: string): string | undefined {
    return this.limits ? clientNetwork(clientIp) : undefined;
  }

  /** @returns why the client may not have another connection; undefined when it was counted, until `leave`. */
  enter(key: string, nowMs: number): FailureCode | undefined {
    const open = this.#open.get(key) ?? 0;
    const { connections } = this.#config;
    if (connections > 0 && open >= connections) return 'client_connection_limit';
    if (this.#rates !== undefined && this.#rates.take(key, nowMs) > 0) return 'client_connection_rate';
    this.#open.set(key, open + 1);
    return undefined;
  }

  leave(key: string): void {
    const open = this.#open.get(key) ?? 0;
    if (open > 1) this.#open.set(key, open - 1);
    else this.#open.delete(key);
  }
}

function tableOf({ rate, burst }: PerClientConfig): TokenTable | undefined {
  const parsed = rate === undefined ? undefined : parseRate(rate);
  if (parsed === undefined) return undefined;
  return privateTokenTable(parsed.periodMs / parsed.requests, burst ?? defaultBurst(parsed), MAX_CLIENTS);
}
