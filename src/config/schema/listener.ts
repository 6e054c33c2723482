import { z } from 'zod';

import { listenAddress } from './address.ts';
import { filter } from './filters.ts';
import { match, network } from './match.ts';
import { redirectGrammar, replyHeaderGrammar, tokenGrammar, type Grammar } from './syntax.ts';
import { fieldValue, name, text } from './text.ts';
import { headSize, positiveDuration, size } from './units.ts';

const splitArm = z.strictObject({
  pool: z.string().meta({ description: 'Name of a pool.' }),
  weight: z.number().int().min(0).max(1_000_000).meta({ description: 'Share of the traffic; 0 is none.' }),
});

/** Exactly one of `pool`, `split`, `reply`, `redirect`. */
export const route = z.strictObject({
  name: name
    .optional()
    .meta({ description: 'Shown by `explain`, in metrics and logs. Default: its place, `routes[2]`.' }),
  match: match.optional().meta({ description: 'When the route applies. Default: always.' }),
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
    .meta({ description: 'A fixed response.' }),
  redirect: z
    .strictObject({
      to: text(redirectGrammar, 'a path or URL such as /new/').meta({
        description:
          'Absolute URL or path. With a `/*` match and a value that ends in `/`, the rest of the path is appended. The query is kept.',
        examples: ['https://example.com/', '/new/'],
      }),
      status: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(308)
        .meta({ description: 'Status of the response.' }),
    })
    .optional()
    .meta({ description: 'Sends the client elsewhere.' }),
  filters: z
    .array(filter)
    .default([])
    .meta({ description: 'Steps that change or answer the request, in order.' }),
});

export type RouteConfig = z.output<typeof route>;

const viaGrammar: Grammar = (value) => (value === '' ? undefined : tokenGrammar(value));

export const listener = z.strictObject({
  name: name.meta({ description: 'Shown in metrics and logs.' }),
  address: listenAddress.meta({
    description:
      'Where it listens. `:8080` is every IPv4 interface, `[::]:8080` every interface, port 0 any free port.',
  }),
  protocol: z.enum(['http']).default('http').meta({ description: 'What is spoken to clients.' }),
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
});

export type ListenerConfig = z.output<typeof listener>;
