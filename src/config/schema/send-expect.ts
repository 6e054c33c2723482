import { z } from 'zod';

import { quote, regexGrammar, type Grammar } from './syntax.ts';
import { text } from './text.ts';

/** More would not fit the answer that a check reads. */
const MAX_SENT_BYTES = 16 * 1024;
const MAX_STEPS = 16;

const hexGrammar: Grammar = (value) => {
  const digits = value.replaceAll(/\s/g, '');
  if (!/^[0-9A-Fa-f]*$/.test(digits))
    return `${quote(value)} is not hexadecimal; write pairs of 0-9 and a-f, such as "50 49 4e 47"`;
  if (digits.length % 2 !== 0) return `${quote(value)} has half a byte: hexadecimal digits come in pairs`;
  return digits.length > 2 * MAX_SENT_BYTES ? `longer than ${MAX_SENT_BYTES} bytes` : undefined;
};

const base64Grammar: Grammar = (value) => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
    return `${quote(value)} is not base64; write it with its padding, such as "UElORw=="`;
  return value.length > Math.ceil(MAX_SENT_BYTES / 3) * 4 ? `longer than ${MAX_SENT_BYTES} bytes` : undefined;
};

const plainGrammar: Grammar = (value) =>
  Buffer.byteLength(value) > MAX_SENT_BYTES ? `longer than ${MAX_SENT_BYTES} bytes` : undefined;

const hex = z.strictObject({
  hex: text(hexGrammar).meta({ description: 'Bytes as hexadecimal digits; blanks are allowed.' }),
});
const base64 = z.strictObject({ base64: text(base64Grammar).meta({ description: 'Bytes in base64.' }) });

/** Bytes as a configuration writes them; `bytesOf` reads them. */
export const writtenBytes = z.union([text(plainGrammar), hex, base64]);

export type WrittenBytes = z.output<typeof writtenBytes>;

/** What an answer must have. A plain text must be in it, anywhere. */
export const expectation = z.union([
  text(plainGrammar),
  z.strictObject({ contains: writtenBytes.meta({ description: 'These bytes, anywhere.' }) }),
  z.strictObject({ prefix: writtenBytes.meta({ description: 'These bytes at its beginning.' }) }),
  z.strictObject({
    regex: text(regexGrammar).meta({
      description: 'A match of this regular expression; each byte is one character (`\\xff`).',
    }),
  }),
]);

export type Expectation = z.output<typeof expectation>;

const send = writtenBytes
  .optional()
  .meta({ description: 'What is sent: text (UTF-8), or bytes as `{ hex }` or `{ base64 }`.' });
const expect = expectation.optional().meta({
  description: 'What must come back: text that it contains, or `{ contains }`, `{ prefix }`, `{ regex }`.',
});

/** `healthCheck.tcp` */
export const tcpCheck = z.strictObject({
  send,
  expect,
  steps: z
    .array(z.strictObject({ send, expect }))
    .min(1)
    .max(MAX_STEPS)
    .optional()
    .meta({ description: 'Several of them, one after the other on one connection.' }),
});

export type TcpCheck = z.output<typeof tcpCheck>;

/** `healthCheck.udp` */
export const udpCheck = z.strictObject({
  send: writtenBytes.default('').meta({
    description: 'The datagram: text (UTF-8), or bytes as `{ hex }` or `{ base64 }`. May be empty.',
  }),
  expect: expect.meta({
    description:
      'What the answer must have. Without it an answer is not needed: only a refusal (ICMP port unreachable) fails the check.',
  }),
});
