import { fieldLine } from '../model/fields.ts';
import type { LocalReply } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import type { ChallengeSource } from '../model/ports.ts';

const PREFIX = '/.well-known/acme-challenge/';
const OCTETS = fieldLine('Content-Type', 'application/octet-stream');

/** Whether an ACME server may be asking (RFC 8555 section 8.3); cheap, for every request is asked so. */
export function isChallenge({ path }: RequestHead): boolean {
  return path.length > PREFIX.length && path.charCodeAt(1) === 46 && path.startsWith(PREFIX);
}

/** The proof that is asked for; undefined when it is not about one of ours: then it is a request like any other. */
export function challengeReply(
  { method, path }: RequestHead,
  challenges: ChallengeSource,
): LocalReply | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const proof = challenges.keyAuthorization(path.slice(PREFIX.length));
  return proof === undefined
    ? undefined
    : { status: 200, fields: [OCTETS], body: Buffer.from(proof, 'latin1') };
}
