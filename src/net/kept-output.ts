/**
 * Output of this process that waits because its receivers do not take it. Each of them holds back who sends to it, but only after one piece:
 * what was read at once has to be kept. Large pieces are cheap for the many who take them, and dear when thousands do not. So pieces get
 * smaller while much is kept.
 */
let keptBytes = 0;

/** Largest piece that may be read now from those who send to others, bytes. */
export let readLimitBytes: number = Number.POSITIVE_INFINITY;

/** How large pieces are from so many bytes kept on, largest first. */
const STEPS = [
  { fromBytes: 96 * 1024 * 1024, limitBytes: 16 * 1024 },
  { fromBytes: 32 * 1024 * 1024, limitBytes: 64 * 1024 },
  { fromBytes: Number.NEGATIVE_INFINITY, limitBytes: Number.POSITIVE_INFINITY },
] as const;

/** So many bytes more wait; negative when they do not any longer. */
export function keepOutput(bytes: number): void {
  keptBytes += bytes;
  for (const { fromBytes, limitBytes } of STEPS) {
    if (keptBytes < fromBytes) continue;
    readLimitBytes = limitBytes;
    return;
  }
}
