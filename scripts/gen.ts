/**
 * `npm run gen`: writes the files that are made from the sources. `--check` writes nothing and fails when one of them is
 * not as it would be written.
 */
import { configurationReference } from './gen/configuration-reference.ts';
import { failuresReference } from './gen/failures-reference.ts';
import { metricsReference } from './gen/metrics-reference.ts';
import { jsonSchemaText } from '../src/config/json-schema.ts';

const root = new URL('..', import.meta.url).pathname;

const files: Readonly<Record<string, () => string>> = {
  'schema/pointsman.schema.json': jsonSchemaText,
  'docs/reference/configuration.md': configurationReference,
  'docs/reference/failures.md': failuresReference,
  'docs/reference/metrics.md': metricsReference,
};

const checkOnly = process.argv.includes('--check');
const different: string[] = [];
for (const [path, make] of Object.entries(files)) {
  const file = Bun.file(root + path);
  const text = make();
  if ((await file.exists()) && (await file.text()) === text) continue;
  different.push(path);
  if (!checkOnly) await Bun.write(file, text);
}

const verdict = checkOnly ? 'is out of date: run "npm run gen"' : 'written';
for (const path of different) process.stdout.write(`${path} ${verdict}\n`);
process.exitCode = checkOnly && different.length > 0 ? 1 : 0;
