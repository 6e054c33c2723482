import { parseProxyV1 } from './parse-v1.ts';
import { parseProxyV2 } from './parse-v2.ts';
import { type ProxyVerdict, SIGNATURE_V1, SIGNATURE_V2 } from './proxy-header.ts';

const NONE: ProxyVerdict = { kind: 'none' };
const PERHAPS: ProxyVerdict = { kind: 'more', certain: false };

/** How many bytes at the beginning agree with the signature. */
function agreement(bytes: Buffer, signature: Buffer): number {
  const most = Math.min(bytes.length, signature.length);
  let at = 0;
  while (at < most && bytes[at] === signature[at]) at++;
  return at;
}

/**
 * Reads the header of the PROXY protocol (HAProxy's specification, versions 1 and 2) at the beginning of a connection. It keeps nothing:
 * call it again with everything from the first byte on when more has come. What cannot become a header is told by the first byte that
 * says so; a header is bounded by 107 bytes in version 1 and 4 KiB in version 2, whatever it claims.
 */
export function parseProxyHeader(bytes: Buffer): ProxyVerdict {
  for (const signature of [SIGNATURE_V1, SIGNATURE_V2]) {
    const agreed = agreement(bytes, signature);
    if (agreed === signature.length)
      return signature === SIGNATURE_V1 ? parseProxyV1(bytes) : parseProxyV2(bytes);
    if (agreed === bytes.length) return PERHAPS;
  }
  return NONE;
}
