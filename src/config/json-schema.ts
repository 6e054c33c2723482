import { z } from 'zod';

import { config } from './schema/config.ts';

/** The schema of what a user writes, for editors: JSON Schema 2020-12, as text. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(config, { io: 'input', reused: 'inline' });
  const { $schema, ...rest } = schema;
  const titled = {
    $schema,
    title: 'Pointsman configuration',
    description: 'Reference: docs/reference/configuration.md',
    ...rest,
  };
  return `${JSON.stringify(titled, undefined, 2)}\n`;
}
