/**
 * What the system says when something of ours is used up: descriptors, memory, the local ports for one address, or what may be watched
 * (ENOSPC: /proc/sys/fs/epoll/max_user_watches). errno(3)
 */
const EXHAUSTIONS: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'ENOSPC',
]);

/** Whether an error of that name is for want of something of ours, so that nobody else is to be blamed. */
export function isExhaustion(code: string): boolean {
  return EXHAUSTIONS.has(code);
}
