import { type FieldLine, fieldLine, type Fields } from '../model/fields.ts';
import { equalsIgnoringCase } from '../model/known-fields.ts';
import type { PeerCertificate } from '../net/tls/tls-info.ts';

const CLIENT_CERT = Buffer.from('client-cert', 'latin1');
const CLIENT_CERT_CHAIN = Buffer.from('client-cert-chain', 'latin1');

/** A byte sequence of RFC 8941 section 3.3.5. */
function byteSequence(der: Buffer): string {
  return `:${der.toString('base64')}:`;
}

/** What endpoints are told of a client's certificate (RFC 9440): the same for all requests of a connection. */
export function clientCertificateLines(peer: PeerCertificate): readonly FieldLine[] {
  const leaf = fieldLine('Client-Cert', byteSequence(peer.leaf));
  if (peer.chain.length === 0) return [leaf];
  return [leaf, fieldLine('Client-Cert-Chain', peer.chain.map(byteSequence).join(', '))];
}

/** Whether a name is one of those that only we may say, with underscores for dashes too, as a CGI reads them. */
export function isClientCertificate(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (length !== CLIENT_CERT.length && length !== CLIENT_CERT_CHAIN.length) return false;
  const name = length === CLIENT_CERT.length ? CLIENT_CERT : CLIENT_CERT_CHAIN;
  if (equalsIgnoringCase(bytes, start, name)) return true;
  const dashed = Buffer.from(bytes.latin1Slice(start, end).replaceAll('_', '-'), 'latin1');
  return equalsIgnoringCase(dashed, 0, name);
}

/** Adds our lines. */
export function addLines(fields: Fields, lines: readonly FieldLine[]): void {
  for (let index = 0; index < lines.length; index++) fields.add(lines[index]!);
}
