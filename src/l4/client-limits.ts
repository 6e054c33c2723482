import { defaultBurst, parseRate } from '../config/rate.ts';
import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import type { UdpListenerConfig } from '../config/schema/udp-listener.ts';
import type { FailureCode } from '../model/failures.ts';
import type { ClientCells } from '../model/shared/cells.ts';
import { privateTallyTable, type TallyClaim, type TallyTable } from '../model/shared/tally-table.ts';
import { clientNetwork } from '../util/ip.ts';
import { privateTokenTable, TokenTable } from '../util/token-table.ts';

/** `limits.perClient` of a listener, whatever it serves. */
interface PerClient {
  /** Connections or sessions open at most; 0 is no limit. */
  readonly connections: number;
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
}

/** Clients that are counted at a time, and whose rate is remembered. */
export const MAX_CLIENTS = 65_536;

export function perClientOf(listener: TcpListenerConfig | UdpListenerConfig): PerClient {
  const { perClient } = listener.limits;
  return 'sessions' in perClient ? { ...perClient, connections: perClient.sessions } : perClient;
}

/** What one client, an IPv4 address or the /64 network of an IPv6 one, may take of a listener, in all workers together. */
export class ClientLimits {
  #config: PerClient;
  #rates: TokenTable | undefined;
  #open: TallyTable | undefined;

  /** @param cells Where workers count together; what it has not is counted here alone. */
  constructor(config: PerClient, cells: ClientCells = {}) {
    this.#config = config;
    this.#rates = ratesOf(config, cells);
    this.#open = openOf(config, cells);
  }

  /** Adopts other limits. Connections that were not counted because there was no limit stay uncounted. */
  configure(config: PerClient, cells: ClientCells = {}): void {
    const { connections, rate, burst } = this.#config;
    if (config.rate !== rate || config.burst !== burst) this.#rates = ratesOf(config, cells);
    if (config.connections > 0 !== connections > 0) this.#open = openOf(config, cells);
    this.#config = config;
  }

  /** Whether anything is limited. */
  get limits(): boolean {
    return this.#open !== undefined || this.#rates !== undefined;
  }

  /** @returns why the client may not have another connection; else what to give back when it is closed, if it was counted. */
  enter(clientIp: string, nowMs: number): FailureCode | TallyClaim | undefined {
    if (!this.limits) return undefined;
    const key = clientNetwork(clientIp);
    const claim = this.#open?.take(key, this.#config.connections);
    if (claim === undefined && this.#open !== undefined) return 'client_connection_limit';
    if (this.#rates === undefined || this.#rates.take(key, nowMs) === 0) return claim;
    claim?.give();
    return 'client_connection_rate';
  }
}

function ratesOf({ rate, burst }: PerClient, { rates }: ClientCells): TokenTable | undefined {
  const parsed = rate === undefined ? undefined : parseRate(rate);
  if (parsed === undefined) return undefined;
  const intervalMs = parsed.periodMs / parsed.requests;
  const most = burst ?? defaultBurst(parsed);
  return rates === undefined
    ? privateTokenTable(intervalMs, most, MAX_CLIENTS)
    : new TokenTable(intervalMs, most, MAX_CLIENTS, rates);
}

function openOf({ connections }: PerClient, { open }: ClientCells): TallyTable | undefined {
  return connections === 0 ? undefined : (open ?? privateTallyTable(MAX_CLIENTS));
}
