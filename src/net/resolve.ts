import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** How long an answer is used again, milliseconds: the resolver of the system does not tell how long it holds. */
const KEEP_MS = 5000;
const MAX_NAMES = 1000;

interface Answer {
  readonly ips: readonly string[];
  readonly untilMs: number;
}

const answers = new Map<string, Answer>();

/** The addresses of `host` if they are known without asking: it is one, or was asked for a moment ago. */
export function knownAddresses(host: string): readonly string[] | undefined {
  if (isIP(host) !== 0) return [host];
  const answer = answers.get(host);
  return answer !== undefined && answer.untilMs > performance.now() ? answer.ips : undefined;
}

/**
 * The addresses of `host`, in the order of the system's resolver; at least one.
 * @throws the resolver's error, with `code` (ENOTFOUND, EAI_AGAIN ...).
 */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const known = knownAddresses(host);
  if (known !== undefined) return known;
  const found = await lookup(host, { all: true });
  const ips = [...new Set(found.map(({ address }) => address))];
  if (ips.length === 0) throw Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' });
  if (answers.size >= MAX_NAMES) answers.clear();
  answers.set(host, { ips, untilMs: performance.now() + KEEP_MS });
  return ips;
}
