import { z } from 'zod';

import { listenerAddress, listenerName, splitArm } from './listener-parts.ts';
import { clientRate, ONE_CLIENT } from './per-client.ts';
import { burst } from './rate.ts';
import { positiveDuration } from './units.ts';

/** A listener that passes datagrams on and does not look into them. Exactly one of `pool`, `split`. */
export const udpListener = z.strictObject({
  name: listenerName,
  address: listenerAddress,
  protocol: z.literal('udp').meta({ description: '`udp`: datagrams are passed on as they come.' }),
  pool: z.string().optional().meta({ description: 'Name of the pool that takes the sessions.' }),
  split: z.array(splitArm).min(1).optional().meta({ description: 'Weighted choice between pools.' }),
  session: z
    .strictObject({
      requests: z.number().int().min(0).max(1_000_000).default(0).meta({
        description:
          'Datagrams of a client that go to one endpoint; then it is chosen anew. 1: for each datagram by itself, as for DNS. 0: no limit.',
      }),
      responses: z.number().int().min(0).max(1_000_000).optional().meta({
        description:
          'Answers to each datagram. With the last of them the session ends, and an endpoint that gives none has failed. Default: not known; the session ends after timeouts.idle.',
      }),
    })
    .prefault({})
    .meta({
      description: 'What belongs together: the datagrams from one client address and port, and the answers.',
    }),
  timeouts: z
    .strictObject({
      idle: positiveDuration.prefault('30s').meta({ description: 'Without a datagram in either direction.' }),
    })
    .prefault({})
    .meta({ description: 'How long sessions may last.' }),
  limits: z
    .strictObject({
      sessions: z.number().int().min(1).max(1_000_000).default(65_536).meta({
        description:
          'Open sessions, each with a descriptor. A further client takes the place of the oldest session that was never answered; when there is none it is not served.',
      }),
      perClient: z
        .strictObject({
          sessions: z
            .number()
            .int()
            .min(0)
            .default(0)
            .meta({ description: 'Open sessions of one client; 0 is no limit.' }),
          rate: clientRate(
            'New sessions of one client: `20/s`, `600/m`. With session.requests 1 that is its datagrams.',
          ),
          burst,
        })
        .prefault({})
        .meta({
          description: `${ONE_CLIENT} What is over is dropped.`,
        }),
      amplification: z.number().min(1).max(100_000).optional().meta({
        description:
          'Bytes of answers at most for each byte that the client sent in the session; what is over is dropped. It keeps forged senders from using the endpoints as an amplifier. Default: no limit.',
      }),
    })
    .prefault({})
    .meta({ description: 'How much clients may take.' }),
});

export type UdpListenerConfig = z.output<typeof udpListener>;
