import { canonicalIp } from '../util/ip.ts';
import type { NetworkSet } from '../util/network-set.ts';

/** What one proxy says of the hop before it: an element of `X-Forwarded-For` or `Forwarded`. */
export interface Hop {
  /** In canonical form; undefined when the element names none (`unknown`, `_hidden`) or is malformed. */
  readonly address: string | undefined;
  /** Scheme and host that the client used, where a `Forwarded` element says so. */
  readonly proto?: string;
  readonly host?: string;
}

/** The address in a node: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. */
function nodeAddress(node: string): string | undefined {
  if (node.includes('%')) return undefined;
  const bracketed = /^\[([^\]]*)\](?::[\w.-]+)?$/.exec(node);
  if (bracketed !== null) return bracketed[1]!.includes(':') ? canonicalIp(bracketed[1]!) : undefined;
  const ported = /^([\d.]+):[\w.-]+$/.exec(node);
  return canonicalIp(ported === null ? node : ported[1]!);
}

/** The hops in the value of X-Forwarded-For, the client's end first. */
export function parseForwardedFor(value: string): Hop[] {
  return value.split(',').map((element) => ({ address: nodeAddress(element.trim()) }));
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PAIR = new RegExp(`[ \\t]*(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*(;|,|$)`, 'y');
const EMPTY = /[ \t]*(;|,|$)/y;
const PROTO = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const HOST = /^(?:[\w.~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** The hops in the value of Forwarded (RFC 7239 section 4), the client's end first; undefined when it is malformed. */
export function parseForwarded(value: string): Hop[] | undefined {
  const hops: Hop[] = [];
  let pairs = new Map<string, string>();
  let at = 0;
  for (;;) {
    PAIR.lastIndex = at;
    EMPTY.lastIndex = at;
    const pair = PAIR.exec(value);
    const separator = pair?.[4] ?? EMPTY.exec(value)?.[1];
    if (separator === undefined) return undefined;
    if (pair !== null) {
      const name = pair[1]!.toLowerCase();
      if (pairs.has(name)) return undefined;
      pairs.set(name, pair[2] ?? pair[3]!.replaceAll(/\\(.)/g, '$1'));
    }
    if (separator !== ';') {
      if (pairs.size > 0) hops.push(hopOf(pairs));
      if (separator === '') return hops;
      pairs = new Map();
    }
    at = pair === null ? EMPTY.lastIndex : PAIR.lastIndex;
  }
}

function hopOf(pairs: ReadonlyMap<string, string>): Hop {
  const proto = pairs.get('proto') ?? '';
  const host = pairs.get('host') ?? '';
  return {
    address: nodeAddress(pairs.get('for') ?? ''),
    ...(PROTO.test(proto) ? { proto } : {}),
    ...(HOST.test(host) ? { host } : {}),
  };
}

/**
 * Which hop is the client, when the peer is trusted: from the nearest to the farthest, the first that is not a trusted
 * proxy itself. An element without an address ends the walk, for nobody behind it can be believed.
 * @returns its place in `hops`; -1 when it is the peer.
 */
export function clientHop(hops: readonly Hop[], trusted: NetworkSet): number {
  let client = hops.length;
  while (client > 0) {
    const { address } = hops[client - 1]!;
    if (address === undefined) break;
    client--;
    if (!trusted.contains(address)) break;
  }
  return client === hops.length ? -1 : client;
}
