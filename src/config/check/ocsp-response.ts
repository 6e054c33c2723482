const SEQUENCE = 0x30;
const ENUMERATED = 0x0a;
const LONG_FORM = 0x80;

/** What an OCSP server says instead of an answer, by its number (RFC 6960 section 4.2.1). */
const STATUSES: readonly (string | undefined)[] = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  undefined,
  'sigRequired',
  'unauthorized',
];

/** Why these bytes are no OCSP response (RFC 6960, in DER) that could be shown to a client; undefined when they are one. */
export function ocspProblem(bytes: Buffer): string | undefined {
  const strange = 'is not an OCSP response in DER';
  if (bytes.length < 5 || bytes[0] !== SEQUENCE) return strange;
  const first = bytes[1]!;
  const lengthBytes = first < LONG_FORM ? 0 : first - LONG_FORM;
  if (lengthBytes > 4 || bytes.length < 5 + lengthBytes) return strange;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  const at = 2 + lengthBytes;
  if (at + length !== bytes.length || bytes[at] !== ENUMERATED || bytes[at + 1] !== 1) return strange;
  const status = bytes[at + 2]!;
  return status === 0 ? undefined : `holds no answer, but the error ${STATUSES[status] ?? status}`;
}
