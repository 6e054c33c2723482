const LOOK_EVERY_MS = 10;

/** Looks again and again until there is something to see. Rejects, naming `what`, when there is nothing in time. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 10_000,
): Promise<T> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > untilMs) throw new Error(`no ${what} within ${timeoutMs} ms`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
