import { z } from 'zod';

import {
  hostPatternGrammar,
  methodGrammar,
  networkGrammar,
  pathPatternGrammar,
  regexGrammar,
  tokenGrammar,
} from './syntax.ts';
import { text } from './text.ts';

const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);

/** A network or address, as in `10.0.0.0/8`. */
export const network = text(networkGrammar, 'a network such as 10.0.0.0/8');

/** What a header, cookie or query value must be. A plain string means equality. */
export const valueMatch = z.union([
  z.string(),
  z.strictObject({ exact: z.string().meta({ description: 'Equal to this text.' }) }),
  z.strictObject({ prefix: z.string().meta({ description: 'Starts with this text.' }) }),
  z.strictObject({
    regex: text(regexGrammar).meta({
      description:
        'Matches this regular expression (of JavaScript), anywhere unless `^` and `$` are written.',
    }),
  }),
  z.strictObject({ present: z.boolean().meta({ description: 'Whether it is there at all.' }) }),
]);

const headerValueMatches = z.record(text(tokenGrammar), valueMatch);
const cookieValueMatches = z.record(text(tokenGrammar), valueMatch);
const queryValueMatches = z.record(z.string().min(1), valueMatch);

/** When a route applies: every condition that is given must hold. */
export const match = z.strictObject({
  host: oneOrMore(text(hostPatternGrammar, 'a host such as example.com'))
    .optional()
    .meta({
      description:
        'Host name, exact (`example.com`) or wildcard (`*.example.com`: one or more labels). Any of several.',
      examples: ['example.com', '*.example.com'],
    }),
  path: oneOrMore(text(pathPatternGrammar, 'a path such as /api/*'))
    .optional()
    .meta({
      description:
        'Exact path (`/login`), or a prefix ending in `/*` (`/api/*` matches `/api`, `/api/` and all below, not `/apis`). Any of several.',
      examples: ['/api/*', '/login'],
    }),
  method: oneOrMore(text(methodGrammar, 'a method such as GET'))
    .optional()
    .meta({ description: 'Request method, upper case. Any of several.', examples: ['GET'] }),
  headers: headerValueMatches.optional().meta({ description: 'Header name to value. All must hold.' }),
  cookies: cookieValueMatches.optional().meta({ description: 'Cookie name to value. All must hold.' }),
  query: queryValueMatches.optional().meta({ description: 'Query parameter to value. All must hold.' }),
  from: oneOrMore(network)
    .optional()
    .meta({
      description: 'Client address or network (`10.0.0.0/8`). Any of several.',
      examples: ['10.0.0.0/8'],
    }),
});

export type MatchConfig = z.output<typeof match>;
export type ValueMatch = z.output<typeof valueMatch>;
