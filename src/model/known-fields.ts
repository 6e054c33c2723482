/** Field names that the data path itself must recognise; 0 is every other name. */
export const Known = {
  Other: 0,
  Host: 1,
  Connection: 2,
  ContentLength: 3,
  TransferEncoding: 4,
  Expect: 5,
  Upgrade: 6,
  Te: 7,
  Trailer: 8,
  KeepAlive: 9,
  ProxyConnection: 10,
  XForwardedFor: 11,
  XForwardedProto: 12,
  XForwardedHost: 13,
  Forwarded: 14,
  Via: 15,
  Cookie: 16,
  ProxyAuthorization: 17,
  ProxyAuthenticate: 18,
  XRealIp: 19,
  Date: 20,
  Server: 21,
  SetCookie: 22,
  CacheControl: 23,
  UserAgent: 24,
  Referer: 25,
  XForwardedPort: 26,
  Http2Settings: 27,
  Proxy: 28,
  XForwardedServer: 29,
} as const;

export type KnownId = (typeof Known)[keyof typeof Known];

const NAMES: readonly (readonly [string, KnownId])[] = [
  ['host', Known.Host],
  ['connection', Known.Connection],
  ['content-length', Known.ContentLength],
  ['transfer-encoding', Known.TransferEncoding],
  ['expect', Known.Expect],
  ['upgrade', Known.Upgrade],
  ['te', Known.Te],
  ['trailer', Known.Trailer],
  ['keep-alive', Known.KeepAlive],
  ['proxy-connection', Known.ProxyConnection],
  ['x-forwarded-for', Known.XForwardedFor],
  ['x-forwarded-proto', Known.XForwardedProto],
  ['x-forwarded-host', Known.XForwardedHost],
  ['forwarded', Known.Forwarded],
  ['via', Known.Via],
  ['cookie', Known.Cookie],
  ['proxy-authorization', Known.ProxyAuthorization],
  ['proxy-authenticate', Known.ProxyAuthenticate],
  ['x-real-ip', Known.XRealIp],
  ['date', Known.Date],
  ['server', Known.Server],
  ['set-cookie', Known.SetCookie],
  ['cache-control', Known.CacheControl],
  ['user-agent', Known.UserAgent],
  ['referer', Known.Referer],
  ['x-forwarded-port', Known.XForwardedPort],
  ['http2-settings', Known.Http2Settings],
  ['proxy', Known.Proxy],
  ['x-forwarded-server', Known.XForwardedServer],
];

interface Candidate {
  readonly id: KnownId;
  readonly lower: Uint8Array;
}

const LONGEST = 20;
/** By length and first letter: at most two candidates in a slot. */
const slots: (readonly Candidate[] | undefined)[] = Array.from({ length: (LONGEST + 1) * 32 });
for (const [name, id] of NAMES) {
  const slot = name.length * 32 + (name.charCodeAt(0) & 31);
  slots[slot] = [...(slots[slot] ?? []), { id, lower: Buffer.from(name, 'latin1') }];
}

/** Whether the bytes from `start` spell `lower` in any case; `lower` is lower case, and the lengths are known to agree. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let index = 0; index < lower.length; index++) {
    const byte = bytes[start + index]!;
    const folded = byte >= 65 && byte <= 90 ? byte | 32 : byte;
    if (folded !== lower[index]) return false;
  }
  return true;
}

/** Id of the field name in `bytes` from `start` to `end`; 0 when it is not one of ours. */
export function knownFieldId(bytes: Uint8Array, start: number, end: number): KnownId {
  const length = end - start;
  if (length > LONGEST) return Known.Other;
  const candidates = slots[length * 32 + (bytes[start]! & 31)];
  if (candidates === undefined) return Known.Other;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (equalsIgnoringCase(bytes, start, candidate.lower)) return candidate.id;
  }
  return Known.Other;
}
