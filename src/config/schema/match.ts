import { z } from 'zod';

const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);

/** What a header, cookie or query value must be. A plain string means equality. */
export const valueMatch = z.union([
  z.string(),
  z.strictObject({ exact: z.string() }),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ regex: z.string() }),
  z.strictObject({ present: z.boolean() }),
]);

const valueMatches = z.record(z.string(), valueMatch);

/** When a route applies: every condition that is given must hold. */
export const match = z.strictObject({
  host: oneOrMore(z.string())
    .optional()
    .meta({
      description:
        'Host name, exact (`example.com`) or wildcard (`*.example.com`: one or more labels). Any of several.',
    }),
  path: oneOrMore(z.string())
    .optional()
    .meta({
      description:
        'Exact path (`/login`), or a prefix ending in `/*` (`/api/*` matches `/api`, `/api/` and all below, not `/apis`). Any of several.',
    }),
  method: oneOrMore(z.string())
    .optional()
    .meta({ description: 'Request method, upper case. Any of several.' }),
  headers: valueMatches.optional().meta({ description: 'Header name to value. All must hold.' }),
  cookies: valueMatches.optional().meta({ description: 'Cookie name to value. All must hold.' }),
  query: valueMatches.optional().meta({ description: 'Query parameter to value. All must hold.' }),
  from: oneOrMore(z.string())
    .optional()
    .meta({ description: 'Client address or network (`10.0.0.0/8`). Any of several.' }),
});

export type MatchConfig = z.output<typeof match>;
export type ValueMatch = z.output<typeof valueMatch>;
