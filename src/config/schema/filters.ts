import { z } from 'zod';

import {
  cookieAttributeGrammar,
  editableExceptHostGrammar,
  editableHeaderGrammar,
  plainPathGrammar,
  quote,
  tokenGrammar,
  type Grammar,
} from './syntax.ts';
import { burst, rate } from './rate.ts';
import { fieldValue, text } from './text.ts';
import { duration } from './units.ts';

function headerEdits(settable: Grammar, addable: Grammar) {
  return z.strictObject({
    set: z
      .record(text(settable), fieldValue)
      .default({})
      .meta({ description: 'Replaces the header, or adds it.' }),
    add: z
      .record(text(addable), fieldValue)
      .default({})
      .meta({ description: 'Adds a line, keeping those that are there.' }),
    remove: z.array(text(addable)).default([]).meta({ description: 'Removes every line of that name.' }),
  });
}

/** `headers`: sets, adds and removes header lines of the request, the response, or both. */
export const headersFilter = z
  .strictObject({
    request: headerEdits(editableHeaderGrammar, editableExceptHostGrammar)
      .optional()
      .meta({ description: 'Changes the request before it goes to the endpoint.' }),
    response: headerEdits(editableHeaderGrammar, editableHeaderGrammar)
      .optional()
      .meta({ description: 'Changes the response before it goes to the client.' }),
  })
  .meta({ description: 'Sets, adds and removes header lines.' });

/** `rewrite`: replaces the leading part of the path before it goes to the endpoint. */
export const rewriteFilter = z
  .strictObject({
    prefix: text(plainPathGrammar, 'a path such as /api').meta({
      description: 'What the path must start with, by whole segments.',
      examples: ['/api'],
    }),
    to: text(plainPathGrammar, 'a path such as /')
      .default('/')
      .meta({ description: 'What stands there instead.' }),
  })
  .meta({ description: 'Replaces the leading part of the path.' });

const rateLimitKeyGrammar: Grammar = (value) => {
  if (value === 'client-ip' || value === 'route') return undefined;
  if (value.startsWith('header:')) return tokenGrammar(value.slice('header:'.length));
  return `${quote(value)} is not a key; write client-ip, route, or header:NAME`;
};

/** `rateLimit`: a token bucket per key. */
export const rateLimitFilter = z
  .strictObject({
    key: text(rateLimitKeyGrammar)
      .default('client-ip')
      .meta({ description: '`client-ip`, `route`, or `header:NAME`.' }),
    rate: rate.meta({
      description: 'Requests per time: `100/s`, `600/m`, `10000/h`.',
      examples: ['100/s'],
    }),
    burst,
    maxKeys: z
      .number()
      .int()
      .min(1)
      .default(100_000)
      .meta({ description: 'Keys remembered; of more, those that are forgotten first lose least by it.' }),
  })
  .meta({ description: 'Answers 429 beyond a rate: a token bucket per key.' });

/** One filter: an object with one key, the name of the filter. */
export const filter = z.union([
  z.strictObject({ headers: headersFilter }),
  z.strictObject({ rewrite: rewriteFilter }),
  z.strictObject({ rateLimit: rateLimitFilter }),
]);

export type FilterConfig = z.output<typeof filter>;
export type HeadersFilterConfig = z.output<typeof headersFilter>;
export type RewriteFilterConfig = z.output<typeof rewriteFilter>;
export type RateLimitFilterConfig = z.output<typeof rateLimitFilter>;

/** `affinity`: the same client goes to the same endpoint, by a cookie of ours. */
export const affinity = z.strictObject({
  cookie: z
    .strictObject({
      name: text(tokenGrammar).default('SERVERID').meta({ description: 'Name of the cookie.' }),
      path: text(cookieAttributeGrammar).default('/').meta({ description: 'Path attribute.' }),
      domain: text(cookieAttributeGrammar)
        .optional()
        .meta({ description: 'Domain attribute. Default: none, the host of the request only.' }),
      maxAge: duration
        .optional()
        .meta({ description: 'How long the browser keeps it. Default: until it is closed.' }),
      secure: z
        .enum(['auto', 'always', 'never'])
        .default('auto')
        .meta({ description: '`auto`: on TLS listeners.' }),
      sameSite: z.enum(['lax', 'strict', 'none']).default('lax').meta({ description: 'SameSite attribute.' }),
      httpOnly: z.boolean().default(true).meta({ description: 'HttpOnly attribute: hidden from scripts.' }),
      noCache: z
        .boolean()
        .default(true)
        .meta({ description: 'Adds `Cache-Control: private` to a response that sets the cookie.' }),
      secret: z
        .string()
        .min(16)
        .optional()
        .meta({ description: 'Makes cookie values unguessable; the same on every balancer of a pair.' }),
    })
    .meta({ description: 'Binds by a cookie that Pointsman sets.' }),
  strict: z
    .boolean()
    .default(false)
    .meta({ description: '503 when the bound endpoint cannot be used, instead of another endpoint.' }),
});

export type AffinityConfig = z.output<typeof affinity>;
