import { z } from 'zod';

import { parseAddress } from '../address.ts';
import { isHost, quote } from './syntax.ts';

export { type Address, formatAddress, parseAddress } from '../address.ts';

function portAlone(port: number | string, defaultHost: string | undefined, like: string): string {
  return defaultHost === undefined
    ? `${port} has no host; write host:port, such as ${like}`
    : `${port} is only a port; write ":${port}", or host:port such as ${like}`;
}

/** Says what is wrong with a text that `parseAddress` refused. */
function addressProblem(text: string, defaultHost: string | undefined, like: string): string {
  const shown = quote(text);
  if (/^\d+$/.test(text)) return portAlone(text, defaultHost, like);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    return `${shown} is a URL; write only host:port, such as ${like}`;
  if (text.startsWith('unix:') || text.startsWith('/'))
    return `${shown}: unix sockets are not supported yet by this version; write host:port, such as ${like}`;
  if (isHost(text) && text.includes(':'))
    return `${shown} has no port; an IPv6 host is written in brackets: "[${text}]:8080"`;
  const bare = /^(.+):\d{1,5}$/.exec(text)?.[1];
  if (bare?.includes(':') === true && isHost(bare))
    return `${shown}: an IPv6 host is written in brackets: "[${bare}]${text.slice(bare.length)}"`;
  if (isHost(text)) return `${shown} has no port; write host:port, such as ${like}`;
  const port = /:(\d+)$/.exec(text)?.[1];
  if (port !== undefined && Number(port) > 65_535) return `${shown}: the port must be at most 65535`;
  if (/^:\d+$/.test(text)) return `${shown} has no host; write host:port, such as ${like}`;
  return `${shown} is not an address; write host:port, such as ${like}`;
}

function addressSchema(defaultHost: string | undefined, lowestPort: number, like: string) {
  return z
    .string({
      error: ({ input }) =>
        typeof input === 'number'
          ? portAlone(input, defaultHost, like)
          : `expected an address such as ${like}`,
    })
    .transform((text, context) => {
      const address = parseAddress(text, defaultHost);
      if (address !== undefined && address.port >= lowestPort) return address;
      const message =
        address === undefined
          ? addressProblem(text, defaultHost, like)
          : `${quote(text)}: the port must be at least ${lowestPort}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ description: `host:port, such as \`${like}\`.`, examples: [like] });
}

/** Where a listener listens; `:8080` means every interface, port 0 any free port. */
export const listenAddress = addressSchema('0.0.0.0', 0, '0.0.0.0:8080');
/** Where an endpoint is reached: a host is needed and the port is not 0. */
export const endpointAddress = addressSchema(undefined, 1, '10.0.0.1:3000');
