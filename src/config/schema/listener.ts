import { z } from 'zod';

import { filter } from './filters.ts';
import { http2 } from './http2.ts';
import { listenerAddress, listenerName, splitArm } from './listener-parts.ts';
import { match, network } from './match.ts';
import { redirectGrammar, replyHeaderGrammar, tokenGrammar, type Grammar } from './syntax.ts';
import { listenerProxyProtocol } from './proxy-protocol.ts';
import { tcpListener } from './tcp-listener.ts';
import { fieldValue, name, text } from './text.ts';
import { tlsRoute } from './tls-route.ts';
import { listenerTls } from './tls.ts';
import { udpListener } from './udp-listener.ts';
import { headSize, positiveDuration, size } from './units.ts';

/** Exactly one of `pool`, `split`, `reply`, `redirect`. */
export const route = z.strictObject({
  name: name
    .optional()
    .meta({ description: 'Shown by `explain`, in metrics and logs. Default: its place, `routes[2]`.' }),
  match: match
    .optional()
    .meta({ description: 'When the route applies. Default: always.', examples: [{ path: '/api/*' }] }),
  pool: z.string().optional().meta({ description: 'Name of the pool that takes the request.' }),
  split: z.array(splitArm).min(1).optional().meta({ description: 'Weighted choice between pools.' }),
  reply: z
    .strictObject({
      status: z.number().int().min(200).max(599).meta({ description: 'Status of the response.' }),
      body: z.string().default('').meta({ description: 'Body of the response.' }),
      contentType: fieldValue
        .default('text/plain; charset=utf-8')
        .meta({ description: 'Content-Type of the response.' }),
      headers: z
        .record(text(replyHeaderGrammar), fieldValue)
        .default({})
        .meta({ description: 'Further header lines.' }),
    })
    .optional()
    .meta({ description: 'A fixed response.', examples: [{ status: 404, body: 'no' }] }),
  redirect: z
    .strictObject({
      to: text(redirectGrammar, 'a path or URL such as /new/')
        .optional()
        .meta({
          description:
            'Absolute URL or path. With a `/*` match and a value that ends in `/`, the rest of the path is appended. The query is kept.',
          examples: ['https://example.com/', '/new/'],
        }),
      scheme: z.enum(['https']).optional().meta({
        description: 'Instead of `to`: the same host, path and query by https.',
      }),
      port: z.number().int().min(1).max(65_535).default(443).meta({
        description: 'With `scheme`: the port of the listener that speaks TLS.',
      }),
      status: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(308)
        .meta({ description: 'Status of the response.' }),
    })
    .optional()
    .meta({
      description: 'Sends the client elsewhere.',
      examples: [{ to: 'https://example.com/', status: 308 }],
    }),
  filters: z
    .array(filter)
    .default([])
    .meta({ description: 'Steps that change or answer the request, in order.' }),
});

export type RouteConfig = z.output<typeof route>;

const viaGrammar: Grammar = (value) => (value === '' ? undefined : tokenGrammar(value));

/** A listener that speaks HTTP. It is one of these when nothing is said. */
export const httpListener = z.strictObject({
  name: listenerName,
  address: listenerAddress,
  // A literal with the default inside: so the union below finds this one for `http` and for nothing.
  protocol: z
    .literal('http')
    .optional()
    .default('http')
    .meta({ description: '`http` (or nothing): requests are routed one by one.' }),
  passThrough: z.array(tlsRoute).min(1).optional().meta({
    description:
      'With `tls`: clients that ask for these names or protocols are passed on to a pool whose endpoints end TLS themselves. All others are served here.',
  }),
  proxyProtocol: listenerProxyProtocol.optional().meta({
    description:
      'Balancers before this one say whom they connect for (PROXY protocol v1 and v2). Default: off.',
  }),
  tls: listenerTls.optional().meta({
    description: 'Speaks TLS to clients. Default: plain TCP.',
    examples: [{ certificates: [{ cert: 'example.com.pem', key: 'example.com.key' }] }],
  }),
  routes: z.array(route).min(1).meta({ description: 'Where requests go: the first route that matches.' }),
  trustedProxies: z
    .array(network)
    .default([])
    .meta({ description: 'Networks whose X-Forwarded-* and Forwarded headers are believed.' }),
  forwarding: z
    .strictObject({
      xForwarded: z.boolean().default(true).meta({ description: 'Send X-Forwarded-For, -Proto and -Host.' }),
      forwarded: z.boolean().default(true).meta({ description: 'Send Forwarded (RFC 7239).' }),
      via: text(viaGrammar).default('pointsman').meta({ description: 'Pseudonym in Via; empty sends none.' }),
    })
    .prefault({})
    .meta({ description: 'What endpoints are told of the client.' }),
  timeouts: z
    .strictObject({
      requestHead: positiveDuration
        .prefault('10s')
        .meta({ description: 'From the first byte to the end of the request head.' }),
      requestBody: positiveDuration
        .prefault('30s')
        .meta({ description: 'Without progress of a request body.' }),
      slowBody: positiveDuration
        .prefault('60s')
        .meta({ description: 'How long a request body may come more slowly than `limits.bodyRate`.' }),
      idle: positiveDuration.prefault('75s').meta({ description: 'Between two requests on a connection.' }),
      send: positiveDuration
        .prefault('60s')
        .meta({ description: 'Without progress of a response that the client does not read.' }),
      tunnel: positiveDuration
        .prefault('1h')
        .meta({ description: 'Without a byte in either direction of an upgraded connection.' }),
    })
    .prefault({})
    .meta({ description: 'How long clients may take.' }),
  limits: z
    .strictObject({
      requestLine: headSize.prefault('8KiB').meta({ description: 'Longer: 414.' }),
      headerCount: z.number().int().min(1).max(1000).default(100).meta({ description: 'More: 431.' }),
      headerBytes: headSize.prefault('32KiB').meta({ description: 'The whole request head; larger: 431.' }),
      bodyBytes: size.optional().meta({ description: 'Larger: 413. Default: no limit.' }),
      bodyRate: size.prefault('240B').meta({
        description:
          'Bytes per second that a request body must come at, on average, once `timeouts.slowBody` has passed; slower: 408. Not for gRPC, nor once the response has begun. 0 is no limit.',
      }),
      connections: z
        .number()
        .int()
        .min(1)
        .default(100_000)
        .meta({ description: 'Open client connections; further ones are closed at once.' }),
      requestsPerConnection: z
        .number()
        .int()
        .min(0)
        .default(0)
        .meta({ description: 'The connection is closed after so many; 0 is no limit.' }),
    })
    .prefault({})
    .meta({ description: 'How much clients may send.' }),
  http2,
});

export type HttpListenerConfig = z.output<typeof httpListener>;

/** A listener: what else it may say depends on its `protocol`. */
export const listener = z.discriminatedUnion('protocol', [httpListener, tcpListener, udpListener]);

export type ListenerConfig = z.output<typeof listener>;

/** Whether a listener speaks HTTP. */
export function isHttp(config: ListenerConfig): config is HttpListenerConfig {
  return config.protocol === 'http';
}

/** Which kind of port it takes: TCP and UDP ports of the same number are not the same. */
export function transportOf({ protocol }: Pick<ListenerConfig, 'protocol'>): 'tcp' | 'udp' {
  return protocol === 'udp' ? 'udp' : 'tcp';
}
