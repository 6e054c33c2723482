import { z } from 'zod';

import { parseRate } from '../rate.ts';
import { quote, type Grammar } from './syntax.ts';
import { text } from './text.ts';

const rateGrammar: Grammar = (value) =>
  parseRate(value) === undefined
    ? `${quote(value)} is not a rate; write a whole number and a period, such as 100/s, 600/m or 10000/h`
    : undefined;

/** So many in so much time: `100/s`. */
export const rate = text(rateGrammar, 'a rate such as 100/s');

/** Beside a rate: how far above it a moment may go. */
export const burst = z
  .number()
  .int()
  .min(1)
  .optional()
  .meta({ description: 'How many may come at once. Default: the rate per second, at least 1.' });
