import type { Draft } from '../draft.ts';
import { formatPath, type Path } from '../issue.ts';
import { isLoopbackHost } from '../schema/admin.ts';
import type { Config } from '../schema/config.ts';
import { type Address, formatAddress } from '../schema/address.ts';
import { transportOf } from '../schema/listener.ts';
import type { Report } from './report.ts';

interface Bound {
  readonly address: Address;
  readonly transport: 'tcp' | 'udp';
  readonly at: Path;
}

/** No two sockets want the same address, and nothing feeds itself. */
export function checkAddresses(draft: Draft<Config>, report: Report): void {
  const bound: Bound[] = [];
  const bind = (address: Draft<Address> | undefined, transport: 'tcp' | 'udp', at: Path) => {
    const whole = complete(address);
    if (whole === undefined || whole.port === 0) return;
    const other = bound.find((earlier) => earlier.transport === transport && overlap(earlier.address, whole));
    if (other !== undefined) {
      const message = `${formatAddress(whole)} is taken by ${formatPath(other.at)} (${formatAddress(other.address)})`;
      report.error({ code: 'duplicate', at, message });
    }
    bound.push({ address: whole, transport, at });
  };
  for (const [index, listener] of (draft.listeners ?? []).entries()) {
    const transport = listener?.protocol === undefined ? 'tcp' : transportOf({ protocol: listener.protocol });
    bind(listener?.address, transport, ['listeners', index, 'address']);
  }
  const listening = bound.filter(({ transport }) => transport === 'tcp');
  const admin = draft.admin === false ? undefined : complete(draft.admin?.address);
  if (report.written(['admin', 'address'])) bind(admin, 'tcp', ['admin', 'address']);
  else checkDefaultAdmin(admin, listening, report);
  checkLoops(draft, listening, report);
}

/** The user never wrote the address of the admin interface, so the listener that wants it is shown. */
function checkDefaultAdmin(admin: Address | undefined, listening: readonly Bound[], report: Report): void {
  const wanted = admin === undefined ? undefined : listening.find((one) => overlap(one.address, admin));
  if (admin === undefined || wanted === undefined) return;
  report.error({
    code: 'duplicate',
    at: wanted.at,
    message: `${formatAddress(wanted.address)} is taken by the admin interface (${formatAddress(admin)})`,
    hint: 'move that one with admin.address',
  });
}

function checkLoops(draft: Draft<Config>, listening: readonly Bound[], report: Report): void {
  for (const [index, pool] of (draft.pools ?? []).entries()) {
    for (const [place, endpoint] of (pool?.endpoints ?? []).entries()) {
      const address = complete(endpoint?.address);
      if (address === undefined || !isLoopbackHost(address.host)) continue;
      const host = address.host === 'localhost' ? '127.0.0.1' : address.host;
      const self = listening.find((one) => overlap(one.address, { host, port: address.port }));
      if (self === undefined) continue;
      const message = `${formatAddress(address)} is ${formatPath(self.at.slice(0, -1))} itself: requests would go round in circles`;
      report.warning({ code: 'risky', at: ['pools', index, 'endpoints', place], message });
    }
  }
}

function complete(address: Draft<Address> | undefined): Address | undefined {
  return address?.host === undefined || address.port === undefined
    ? undefined
    : { host: address.host, port: address.port };
}

function overlap(left: Address, right: Address): boolean {
  if (left.port !== right.port) return false;
  return left.host === right.host || isWildcard(left.host, right.host) || isWildcard(right.host, left.host);
}

/** `0.0.0.0` holds every IPv4 address, `::` every address (dual stack). */
function isWildcard(host: string, other: string): boolean {
  return host === '::' || (host === '0.0.0.0' && !other.includes(':'));
}
