import { z } from 'zod';

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
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** Writes an address as `host:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function addressSchema(defaultHost: string | undefined, lowestPort: number, like: string) {
  return z
    .string({ error: `expected an address such as ${like}` })
    .transform((text, context) => {
      const address = parseAddress(text, defaultHost);
      if (address !== undefined && address.port >= lowestPort) return address;
      context.addIssue({
        code: 'custom',
        message: `"${text}" is not an address; write host:port, such as ${like}`,
      });
      return z.NEVER;
    })
    .meta({ description: `host:port, such as \`${like}\`.`, examples: [like] });
}

/** Where a listener listens; `:8080` means every interface, port 0 any free port. */
export const listenAddress = addressSchema('0.0.0.0', 0, '0.0.0.0:8080');
/** Where an endpoint is reached: a host is needed and the port is not 0. */
export const endpointAddress = addressSchema(undefined, 1, '10.0.0.1:3000');
