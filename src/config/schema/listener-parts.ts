import { z } from 'zod';

import { listenAddress } from './address.ts';
import { name } from './text.ts';

/** `name` of a listener of any protocol. */
export const listenerName = name.meta({ description: 'Shown in metrics and logs.' });

/** `address` of a listener of any protocol. */
export const listenerAddress = listenAddress.meta({
  description:
    'Where it listens. `:8080` is every IPv4 interface, `[::]:8080` every interface, port 0 any free port.',
});

/** One item of `split`. */
export const splitArm = z.strictObject({
  pool: z.string().meta({ description: 'Name of a pool.' }),
  weight: z.number().int().min(0).max(1_000_000).meta({ description: 'Share of the traffic; 0 is none.' }),
});
