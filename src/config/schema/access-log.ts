import { z } from 'zod';

import { ACCESS_FIELDS } from '../access-fields.ts';
import { quote, type Grammar } from './syntax.ts';
import { text } from './text.ts';

/** Formats of the access log that have a name. */
const NAMED_FORMATS = ['json', 'logfmt', 'common', 'combined'];

const formatGrammar: Grammar = (value) => {
  if (NAMED_FORMATS.includes(value)) return undefined;
  if (!value.includes('${')) {
    return `${quote(value)} is not a format; write ${NAMED_FORMATS.join(', ')}, or a template with \${...} in it`;
  }
  for (const [placeholder, field = ''] of value.matchAll(/\$\{([^}]*)\}?/g)) {
    if (placeholder.endsWith('}') && ACCESS_FIELDS.some((known) => known === field)) continue;
    return `${quote(placeholder)} is not a field of a template; there are ${ACCESS_FIELDS.join(', ')}`;
  }
  return undefined;
};

/** `accessLog`: one line a request. */
export const accessLog = z.strictObject({
  path: z.string().min(1).default('stdout').meta({ description: '`stdout`, `stderr` or a file.' }),
  format: text(formatGrammar).default('json').meta({
    description:
      '`json`, `logfmt`, `common`, `combined`, or a template such as `${clientIp} ${method} ${path} ${status}`.',
  }),
});

export type AccessLogConfig = z.output<typeof accessLog>;
