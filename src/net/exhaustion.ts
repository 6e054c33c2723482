/** What the system says when something of ours is used up: descriptors, memory, or the local ports for one address. errno(3) */
const EXHAUSTIONS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

/** Whether an error of that name is for want of something of ours, so that nobody else is to be blamed. */
export function isExhaustion(code: string): boolean {
  return EXHAUSTIONS.has(code);
}
