/** So many requests in so much time. */
export interface Rate {
  readonly requests: number;
  readonly periodMs: number;
}

const PERIOD_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `100/s`, `600/m`, `10000/h` or `5/d`; undefined when it is none of them, or below 1 request. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d{1,9})\/([smhd])$/.exec(text);
  const requests = Number(match?.[1]);
  const periodMs = PERIOD_MS[match?.[2] ?? ''];
  return match === null || periodMs === undefined || requests < 1 ? undefined : { requests, periodMs };
}

/** How many may come at once when the configuration does not say: what comes back in a second. */
export function defaultBurst({ requests, periodMs }: Rate): number {
  return Math.max(1, Math.ceil((requests * 1000) / periodMs));
}
