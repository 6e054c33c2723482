import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import { poolsOf } from '../pool-references.ts';
import type { Config } from '../schema/config.ts';
import type { ListenerConfig } from '../schema/listener.ts';
import type { HashKeyConfig, PolicyName, PoolConfig } from '../schema/pool.ts';
import type { Report } from './report.ts';

/** What a policy needs of a request beyond its arrival. */
const NEEDS = {
  'round-robin': 'nothing',
  random: 'nothing',
  'random-two': 'nothing',
  'least-connections': 'nothing',
  'least-response-time': 'nothing',
  'ip-hash': 'client-ip',
  'ring-hash': 'hash',
  maglev: 'hash',
  first: 'nothing',
} as const satisfies Record<PolicyName, 'nothing' | 'client-ip' | 'hash'>;

type HashInput = 'client-ip' | 'client-ip-port' | 'path' | 'host' | 'header' | 'cookie' | 'query';

/** What a listener knows of its clients, by protocol: what may be hashed and whether a cookie can be set. */
const SUPPLIES: Readonly<Record<ListenerConfig['protocol'], readonly HashInput[]>> = {
  http: ['client-ip', 'path', 'host', 'header', 'cookie', 'query'],
  tcp: ['client-ip', 'client-ip-port'],
  udp: ['client-ip', 'client-ip-port'],
};

/** Every policy gets what it needs, and settings of hashing stand only where something is hashed. */
export function checkHashing(
  draft: Draft<Config>,
  report: Report,
  supplies: Readonly<Record<string, readonly HashInput[]>> = SUPPLIES,
): void {
  const leads = (draft.listeners ?? []).map((listener) => new Set(listener && poolsOf(listener)));
  for (const [index, pool] of (draft.pools ?? []).entries()) {
    if (pool?.policy === undefined) continue;
    const at: Path = ['pools', index];
    checkSettings(pool, pool.policy, at, report);
    if (NEEDS[pool.policy] === 'hash') checkTable(pool, pool.policy, at, report);
    const leading = (draft.listeners ?? []).filter((_, place) => leads[place]!.has(pool.name ?? ''));
    checkSupply(leading, pool, at, report, supplies);
  }
}

function checkSettings(pool: Draft<PoolConfig>, policy: PolicyName, at: Path, report: Report): void {
  const need = NEEDS[policy];
  const place = [...at, 'hash'];
  if (need === 'nothing') {
    if (!report.written(place)) return;
    const message = `"hash" has no effect: the policy ${policy} does not hash`;
    report.warning({ code: 'ineffective', at: place, on: 'key', message, hint: 'write ring-hash or maglev' });
    return;
  }
  if (need === 'client-ip' && report.written([...place, 'key']) && pool.hash?.key !== 'client-ip') {
    const message = 'ip-hash always hashes the client address';
    const hint = 'write policy ring-hash or maglev to hash something else';
    report.error({ code: 'conflict', at: [...place, 'key'], message, hint });
  }
  const strange = { tableSize: 'maglev', pointsPerWeight: 'ring-hash' } as const;
  for (const [key, owner] of Object.entries(strange)) {
    if (policy === owner || !report.written([...place, key])) continue;
    const message = `"${key}" has no effect: it belongs to the policy ${owner}`;
    report.warning({ code: 'ineffective', at: [...place, key], on: 'key', message });
  }
}

function checkTable(pool: Draft<PoolConfig>, policy: PolicyName, at: Path, report: Report): void {
  const size = pool.hash?.tableSize;
  if (policy !== 'maglev' || size === undefined) return;
  const place = [...at, 'hash', 'tableSize'];
  if (!isPrime(size)) {
    const hint = `the next one is ${nextPrime(size)}`;
    report.error({ code: 'value', at: place, message: `${size} is not a prime number`, hint });
    return;
  }
  const count = pool.endpoints?.length ?? 0;
  if (size < count) {
    const message = `a table of ${size} slots cannot hold ${count} endpoints`;
    report.error({ code: 'conflict', at: place, message, hint: 'take a prime of at least 100 for each' });
  } else if (count > 1 && size < count * 100) {
    const message = `a table of ${size} slots gives ${count} endpoints uneven shares`;
    report.warning({ code: 'risky', at: place, message, hint: 'take a prime of at least 100 for each' });
  }
}

/** @param leading The listeners that lead to the pool. */
function checkSupply(
  leading: readonly (Draft<ListenerConfig> | undefined)[],
  pool: Draft<PoolConfig>,
  at: Path,
  report: Report,
  supplies: Readonly<Record<string, readonly HashInput[]>>,
): void {
  const key = pool.policy !== undefined && NEEDS[pool.policy] === 'hash' ? pool.hash?.key : undefined;
  for (const listener of leading) {
    if (listener?.protocol === undefined) continue;
    const supplied = supplies[listener.protocol] ?? [];
    const from = `listener "${listener.name ?? ''}" speaks ${listener.protocol}`;
    if (key !== undefined && !supplied.includes(inputOf(key))) {
      const message = `${from} and has no ${inputOf(key)} to hash`;
      const hint = `it supplies ${supplied.join(', ')}`;
      report.error({ code: 'conflict', at: [...at, 'hash', 'key'], message, hint });
    }
    if (pool.affinity !== undefined && !supplied.includes('cookie')) {
      const message = `${from} and cannot set a cookie`;
      report.error({ code: 'conflict', at: [...at, 'affinity'], on: 'key', message });
    }
  }
}

function inputOf(key: Draft<HashKeyConfig>): HashInput {
  if (typeof key === 'string') return key;
  return 'header' in key ? 'header' : 'cookie' in key ? 'cookie' : 'query';
}

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return false;
  return true;
}

function nextPrime(number: number): number {
  let candidate = number;
  while (!isPrime(candidate)) candidate++;
  return candidate;
}
