import type { Draft } from '../draft.ts';
import { formatPath, type Path } from '../issue.ts';
import { allRoutes, poolReferences } from '../pool-references.ts';
import type { Config } from '../schema/config.ts';
import { formatAddress } from '../schema/address.ts';
import { didYouMean } from '../suggest.ts';
import type { Report } from './report.ts';

/** Names are unique where they must be, and every pool that is named exists. */
export function checkNames(draft: Draft<Config>, report: Report): void {
  const unique = (names: readonly (string | undefined)[], at: (index: number) => Path, what: string) => {
    const first = new Map<string, number>();
    for (const [index, name] of names.entries()) {
      if (name === undefined) continue;
      const earlier = first.get(name);
      if (earlier === undefined) {
        first.set(name, index);
        continue;
      }
      const message = `there is already ${what} "${name}" at ${formatPath(at(earlier).slice(0, -1))}`;
      report.error({ code: 'duplicate', at: at(index), message });
    }
  };
  const { listeners = [], pools = [] } = draft;
  unique(
    listeners.map((listener) => listener?.name),
    (index) => ['listeners', index, 'name'],
    'a listener',
  );
  unique(
    pools.map((pool) => pool?.name),
    (index) => ['pools', index, 'name'],
    'a pool',
  );
  for (const [index, listener] of listeners.entries()) {
    const names = allRoutes(listener).map((route) => route?.name);
    unique(names, (route) => ['listeners', index, 'routes', route, 'name'], 'a route');
  }
  for (const [index, pool] of pools.entries()) {
    const endpoints = pool?.endpoints ?? [];
    unique(
      endpoints.map((endpoint) => endpoint?.name),
      (place) => ['pools', index, 'endpoints', place, 'name'],
      'an endpoint',
    );
    const addresses = new Map<string, string>();
    for (const [place, endpoint] of endpoints.entries()) {
      if (endpoint?.address?.host === undefined || endpoint.address.port === undefined) continue;
      const { host, port } = endpoint.address;
      const address = formatAddress({ host, port });
      const earlier = addresses.get(address);
      if (earlier !== undefined && earlier !== endpoint.name) {
        report.warning({
          code: 'risky',
          at: ['pools', index, 'endpoints', place],
          message: `${address} is in this pool twice, also as "${earlier}", so it takes two shares`,
        });
      }
      addresses.set(address, endpoint.name ?? address);
    }
  }
  checkReferences(draft, report);
}

function checkReferences(draft: Draft<Config>, report: Report): void {
  const { listeners = [], pools = [] } = draft;
  const names = pools.map((pool) => pool?.name);
  const known = names.filter((name) => name !== undefined);
  // A pool whose name is wrong or missing may be the one that is meant, so nothing is said then.
  const complete = draft.pools !== undefined && known.length === names.length;
  const existing = new Set(known);
  const used = new Set<string>();
  const refer = (name: string, at: Path) => {
    used.add(name);
    if (!complete || existing.has(name)) return;
    const hint = didYouMean(name, known, 'pools');
    const message =
      known.length === 0
        ? `there is no pool "${name}"; there are no pools at all`
        : `there is no pool "${name}"`;
    report.error({ code: 'reference', at, message, ...(hint === undefined ? {} : { hint }) });
  };
  for (const [index, listener] of listeners.entries()) {
    for (const { pool, at } of poolReferences(listener)) refer(pool, ['listeners', index, ...at]);
  }
  for (const [index, name] of names.entries()) {
    if (name === undefined || used.has(name)) continue;
    report.warning({
      code: 'unused',
      at: ['pools', index, 'name'],
      message: `no route uses the pool "${name}"`,
    });
  }
}
