import { z } from 'zod';

import { parseStatusRange } from '../status-set.ts';
import { quote, type Grammar } from './syntax.ts';
import { text } from './text.ts';

const statusRangeGrammar: Grammar = (value) =>
  parseStatusRange(value) === undefined
    ? `${quote(value)} is not a status or a range of them; write 200 or 200-299`
    : undefined;
/** A status or a range of them, as in `200` or `200-299`. */
export const statusRange = z
  .union([
    z.number().int().min(100).max(599),
    text(statusRangeGrammar, 'a status or a range such as 200-299'),
  ])
  .meta({ title: 'status or range' });
