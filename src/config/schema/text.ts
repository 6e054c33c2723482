import { z } from 'zod';

import { fieldValueGrammar, nameGrammar, type Grammar } from './syntax.ts';

/**
 * A text that follows a grammar; the grammar words the error.
 * @param kind what belongs there, for a value that is no text: "a rate such as 100/s"
 */
export function text(grammar: Grammar, kind?: string) {
  return z
    .string(kind === undefined ? undefined : { error: `expected ${kind}` })
    .superRefine((value, context) => {
      const problem = grammar(value);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    });
}

/** Names of listeners, pools, routes and endpoints. */
export const name = text(nameGrammar);
/** The value of a header as a configuration writes it. */
export const fieldValue = text(fieldValueGrammar);
