import { z } from 'zod';

import { fieldValueGrammar, nameGrammar, type Grammar } from './syntax.ts';

/** A text that follows a grammar; the grammar words the error. */
export function text(grammar: Grammar) {
  return z.string().superRefine((value, context) => {
    const problem = grammar(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
}

/** Names of listeners, pools, routes and endpoints. */
export const name = text(nameGrammar);
/** The value of a header as a configuration writes it. */
export const fieldValue = text(fieldValueGrammar);
