import type { Config } from '../config/schema/config.ts';
import { MAX_CLIENTS, perClientOf } from '../l4/client-limits.ts';
import type { RegionWish } from '../model/shared/slots.ts';
import { tallyTableBytes } from '../model/shared/tally-table.ts';
import { tokenTableBytes } from '../util/token-table.ts';
import { clientRatesKey, openClientsKey } from './shared-cells.ts';

/**
 * Which memory the limits of clients of a configuration need. What clients have open stays counted whatever becomes of the limit; tokens
 * of another rate are others.
 */
export function clientRegions({ listeners }: Config, workers: number): RegionWish[] {
  return listeners.flatMap((listener) => {
    if (listener.protocol === 'http') return [];
    const { name } = listener;
    const { connections, rate, burst } = perClientOf(listener);
    const wishes: RegionWish[] = [];
    if (rate !== undefined) {
      const key = clientRatesKey(name);
      wishes.push({ key, id: `${key} ${rate} ${burst ?? ''}`, sizeBytes: tokenTableBytes(MAX_CLIENTS) });
    }
    if (connections > 0) {
      const key = openClientsKey(name);
      const sizeBytes = tallyTableBytes(MAX_CLIENTS, workers);
      wishes.push({ key, id: key, sizeBytes, tallyKeys: MAX_CLIENTS });
    }
    return wishes;
  });
}
