import { z } from 'zod';

import { positiveDuration } from './units.ts';

/** How connections of HTTP/2 to an endpoint are shared. */
export const poolHttp2 = z.strictObject({
  streams: z.number().int().min(1).max(10_000).default(100).meta({
    description:
      'Requests at a time on one connection, at most; the endpoint may allow fewer. Another connection is opened for more.',
  }),
  pingInterval: positiveDuration.optional().meta({
    description:
      'A connection on which nothing came for so long is asked with PING. Default: only when a request has timed out on it. Some gRPC servers close connections that are asked more often than every 5 minutes.',
  }),
  pingTimeout: positiveDuration
    .prefault('5s')
    .meta({ description: 'How long the answer to PING may take. Longer: the connection is closed.' }),
});
