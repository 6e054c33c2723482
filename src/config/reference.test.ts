import { expect, test } from 'bun:test';

import { referenceSections, sectionsUnder } from './reference.ts';

const sections = referenceSections();

test('every key of every section has a type and a description', () => {
  const keys = sections.flatMap((section) => section.keys.map((key) => ({ ...key, in: section.path })));
  expect(keys.length).toBeGreaterThan(100);
  for (const key of keys) {
    expect(`${key.in}.${key.name}: ${key.type}`).toMatch(/: \w/);
    expect(`${key.in}.${key.name}: ${key.description}`).toMatch(/: .{4,}/);
  }
});

test('a part is found by its path, with or without brackets', () => {
  const paths = sectionsUnder(sections, 'pools.healthCheck.http').map((section) => section.path);
  expect(paths).toEqual(['pools[].healthCheck.http', 'pools[].healthCheck.http.body']);
  expect(sectionsUnder(sections, 'pools[0].queue').map((section) => section.path)).toEqual(['pools[].queue']);
  expect(sectionsUnder(sections, '')).toHaveLength(sections.length);
  expect(sectionsUnder(sections, 'nothing')).toEqual([]);
});

test('what may be left out says what is then used', () => {
  const listener = sections.find((section) => section.path === 'listeners[].timeouts');
  expect(listener?.keys.map((key) => [key.name, key.default, key.required])).toContainEqual([
    'idle',
    '75s',
    false,
  ]);
});
