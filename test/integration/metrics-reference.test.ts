import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';

import { startPointsman } from '../support/pointsman.ts';

const REFERENCE = new URL('../../docs/reference/metrics.md', import.meta.url).pathname;

test('every metric of /metrics is in the reference with its type, and the reference has no others', async () => {
  const documented = [...readFileSync(REFERENCE, 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];
  await using pointsman = await startPointsman({
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', endpoints: ['127.0.0.1:1'] }],
  });
  const text = await (await fetch(`${pointsman.admin}/metrics`)).text();
  const written = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const lines = (matches: RegExpMatchArray[]) =>
    matches.map(([, name, type]) => `${name} ${type}`).toSorted();
  expect(written.length).toBeGreaterThan(50);
  expect(lines(written)).toEqual(lines(documented));
});
