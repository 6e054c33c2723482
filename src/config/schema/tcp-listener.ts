import { z } from 'zod';

import { listenerAddress, listenerName, splitArm } from './listener-parts.ts';
import { clientRate, ONE_CLIENT } from './per-client.ts';
import { listenerProxyProtocol } from './proxy-protocol.ts';
import { burst } from './rate.ts';
import { tlsRoute } from './tls-route.ts';
import { duration, positiveDuration, size } from './units.ts';

/** A listener that passes bytes on and does not look into them. Exactly one of `pool`, `split`, `routes`. */
export const tcpListener = z.strictObject({
  name: listenerName,
  address: listenerAddress,
  protocol: z.literal('tcp').meta({ description: '`tcp`: bytes are passed on as they come.' }),
  proxyProtocol: listenerProxyProtocol.optional().meta({
    description:
      'Balancers before this one say whom they connect for (PROXY protocol v1 and v2). Default: off.',
  }),
  pool: z.string().optional().meta({ description: 'Name of the pool that takes the sessions.' }),
  split: z.array(splitArm).min(1).optional().meta({ description: 'Weighted choice between pools.' }),
  routes: z.array(tlsRoute).min(1).optional().meta({
    description:
      'Where TLS sessions go, by the name that the client asks for, nothing decrypted: the first route that matches. Clients that do not speak TLS are refused.',
  }),
  timeouts: z
    .strictObject({
      clientHello: positiveDuration
        .prefault('5s')
        .meta({ description: 'With `routes`: until the first message of TLS is there.' }),
      idle: positiveDuration.prefault('10m').meta({ description: 'Without a byte in either direction.' }),
      session: duration
        .prefault('0')
        .meta({ description: 'How old a session may get, busy or not; 0 is no limit.' }),
    })
    .prefault({})
    .meta({ description: 'How long sessions may last.' }),
  limits: z
    .strictObject({
      clientHelloBytes: size
        .prefault('16KiB')
        .meta({ description: 'With `routes`: the first message of TLS may not be larger.' }),
      connections: z
        .number()
        .int()
        .min(1)
        .default(100_000)
        .meta({ description: 'Open client connections; further ones are closed at once.' }),
      perClient: z
        .strictObject({
          connections: z
            .number()
            .int()
            .min(0)
            .default(0)
            .meta({ description: 'Open connections of one client; 0 is no limit.' }),
          rate: clientRate('New connections of one client: `20/s`, `600/m`.'),
          burst,
        })
        .prefault({})
        .meta({
          description: `${ONE_CLIENT} What is over is closed at once.`,
        }),
    })
    .prefault({})
    .meta({ description: 'How many clients may come.' }),
  keepAlive: duration.prefault('0').meta({
    description:
      'Silence after which the kernel asks whether the other side is still there (TCP keep-alive), towards clients and endpoints; whole seconds; 0 is never.',
  }),
});

export type TcpListenerConfig = z.output<typeof tcpListener>;
