import { isHost } from './schema/syntax.ts';

/** Where something listens or is reached. IPv6 hosts are without brackets here. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Splits `host:port`, `[v6]:port` or (host given by `defaultHost`) `:port`; undefined when it is none of them. */
export function parseAddress(text: string, defaultHost?: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))?:(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? defaultHost;
  const port = Number(match[3]);
  return host === undefined || port > 65_535 || !isHost(host) ? undefined : { host, port };
}

/** Writes an address as `host:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
