import { expect, test } from 'bun:test';

import { NameTable } from './name-table.ts';

test('exact names first, then the wildcard for the first label, and no other', () => {
  const table = new NameTable<string>();
  table.add('*.b.example', 'wild');
  table.add('deep.b.example', 'exact');
  table.add('deep.b.example', 'second');
  expect(table.find('deep.b.example')).toBe('exact');
  expect(table.find('other.b.example')).toBe('wild');
  expect(table.find('b.example')).toBeUndefined();
  expect(table.find('two.deep.b.example')).toBeUndefined();
  expect(table.find('.b.example')).toBeUndefined();
  expect(table.find('')).toBeUndefined();
});
