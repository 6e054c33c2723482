import { z } from 'zod';

import { splitArm } from './listener-parts.ts';
import { hostPatternGrammar, quote, type Grammar } from './syntax.ts';
import { name, text } from './text.ts';

const protocolGrammar: Grammar = (value) =>
  /^[\x21-\x7e]{1,255}$/.test(value)
    ? undefined
    : `${quote(value)} is not a protocol; write one such as h2, http/1.1 or postgresql`;

const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);

/** When a route applies, by what a TLS client says first. */
const tlsMatch = z.strictObject({
  sni: oneOrMore(text(hostPatternGrammar, 'a host such as example.com'))
    .optional()
    .meta({
      description:
        'Name that the client asks for, exact (`example.com`) or wildcard (`*.example.com`: one or more labels). Any of several.',
      examples: ['example.com', '*.example.com'],
    }),
  alpn: oneOrMore(text(protocolGrammar, 'a protocol such as h2'))
    .optional()
    .meta({ description: 'Protocol that the client offers. Any of several.', examples: ['h2'] }),
});

export type TlsMatchConfig = z.output<typeof tlsMatch>;

/** A route for TLS that is passed on. Exactly one of `pool`, `split`. */
export const tlsRoute = z.strictObject({
  name: name
    .optional()
    .meta({ description: 'Shown by `explain`, in metrics and logs. Default: its place, `routes[2]`.' }),
  match: tlsMatch.optional().meta({ description: 'When the route applies. Default: always.' }),
  pool: z.string().optional().meta({ description: 'Name of the pool that takes the session.' }),
  split: z.array(splitArm).min(1).optional().meta({ description: 'Weighted choice between pools.' }),
});

export type TlsRouteConfig = z.output<typeof tlsRoute>;
