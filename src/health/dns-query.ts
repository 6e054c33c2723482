import { DNS_RCODES, DNS_TYPES, type DnsCheck } from '../config/schema/service-checks.ts';
import type { Matcher } from './expected-bytes.ts';

/** Length of the header (RFC 1035 section 4.1.1). */
const HEADER_BYTES = 12;
const RECURSION_DESIRED = 0x0100;
const CLASS_IN = 1;
/** Of every query: each has a socket of its own, so that answers to others are not heard. */
const ID = 0x706d;

/** A query (RFC 1035 section 4.1). */
export function dnsQuery({ name, type }: DnsCheck): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  const encoded = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(ID, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, ...encoded, Buffer.from([0, 0, DNS_TYPES[type], 0, CLASS_IN])]);
}

function codeOf(answer: Buffer): string | undefined {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== ID || (answer[2]! & 0x80) === 0)
    return undefined;
  const code = answer[3]! & 0x0f;
  return Object.entries(DNS_RCODES).find(([, number]) => number === code)?.[0] ?? `code ${code}`;
}

/** Accepts an answer to the query whose code is one of those. */
export function dnsMatcher({ rcodes }: DnsCheck): Matcher {
  const good: ReadonlySet<string> = new Set(rcodes);
  return {
    words: `is ${rcodes.join(' or ')}`,
    match(received) {
      const code = codeOf(received);
      return code !== undefined && good.has(code) ? { end: received.length } : 'never';
    },
    describe: (received) => codeOf(received) ?? 'something that is no answer of DNS',
  };
}
