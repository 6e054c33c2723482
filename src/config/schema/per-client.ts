import { rate } from './rate.ts';

/** Who counts as one client. */
export const ONE_CLIENT = 'What one client may take: an IPv4 address, or the /64 network of an IPv6 one.';

/** How fast one client may come. */
export function clientRate(description: string) {
  return rate.optional().meta({ description: `${description} Default: no limit.`, examples: ['20/s'] });
}
