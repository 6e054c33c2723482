import { z } from 'zod';

import { network } from './match.ts';
import { positiveDuration } from './units.ts';

/** `listeners[].proxyProtocol` */
export const listenerProxyProtocol = z.strictObject({
  from: z.array(network).min(1).meta({
    description: 'Networks of the balancers before this one. Nobody else is believed.',
  }),
  required: z.boolean().default(true).meta({
    description:
      'Refuse connections that do not begin with a header, and those from other networks. `false`: both are served as they come.',
  }),
  timeout: positiveDuration.prefault('3s').meta({
    description: 'How long the header may take to arrive.',
  }),
});

export type ListenerProxyProtocolConfig = z.output<typeof listenerProxyProtocol>;
