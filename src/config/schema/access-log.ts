import { z } from 'zod';

import { quote, type Grammar } from './syntax.ts';
import { text } from './text.ts';

/** Formats of the access log that have a name. */
const NAMED_FORMATS = ['json', 'logfmt', 'common', 'combined'];

const formatGrammar: Grammar = (value) => {
  if (NAMED_FORMATS.includes(value)) return undefined;
  if (!value.includes('${')) {
    return `${quote(value)} is not a format; write ${NAMED_FORMATS.join(', ')}, or a template with \${...} in it`;
  }
  const broken = /\$\{(?![A-Za-z][A-Za-z0-9]*\})[^}]*\}?/.exec(value);
  return broken === null ? undefined : `${quote(broken[0])} is not a field of a template, such as \${status}`;
};

/** `accessLog`: one line a request. */
export const accessLog = z.strictObject({
  path: z.string().min(1).default('stdout').meta({ description: '`stdout`, `stderr` or a file.' }),
  format: text(formatGrammar).default('json').meta({
    description:
      '`json`, `logfmt`, `common`, `combined`, or a template such as `${clientIp} ${method} ${path} ${status}`.',
  }),
});
