import { describe, expect, test } from 'bun:test';

import { cpuMsOf } from '../../test/support/cpu-time.ts';
import { parseYaml } from './yaml-source.ts';

function valueOf(text: string): unknown {
  const source = parseYaml(text);
  expect(source.problems).toEqual([]);
  return source.value;
}

describe('values', () => {
  test('are those of YAML 1.2: yes and on are texts, only true and false are booleans', () => {
    expect(valueOf('[yes, on, true, 010, 0o10, 1e3, 1.5, ~, null, 2026-01-01, 1:30]')).toEqual([
      'yes',
      'on',
      true,
      10,
      8,
      1000,
      1.5,
      null,
      null,
      '2026-01-01',
      '1:30',
    ]);
  });

  test('of aliases are those of their anchors, the last one before them', () => {
    expect(valueOf('a: &x 1\nb: *x\nc: &x 2\nd: *x\n')).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  test('of merges: own keys win wherever they stand, then earlier sources', () => {
    const text = 'a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc: { z: 3, <<: [*a, *b], x: 3 }\n';
    expect(valueOf(text)).toMatchObject({ c: { x: 3, y: 1, z: 3 } });
    expect(valueOf('a: &a { x: 1 }\nb: &b { <<: *a, y: 2 }\nc: { <<: *b }\n')).toMatchObject({
      c: { x: 1, y: 2 },
    });
    expect(valueOf('"<<": { x: 1 }\n')).toEqual({ '<<': { x: 1 } });
  });

  test('with keys of the prototype are plain', () => {
    const value = valueOf('__proto__: { x: 1 }\nconstructor: 2\n') as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect((value as { x?: number }).x).toBeUndefined();
  });

  test('keys that are no texts are written as they stand', () => {
    expect(valueOf('1: a\ntrue: b\n1.5: c\n')).toEqual({ '1': 'a', true: 'b', '1.5': 'c' });
  });
});

test('places are found through aliases and merges', () => {
  const text = `base: &base
  name: web
  list: [a, b]
copy:
  <<: *base
  empty:
alias: *base
`;
  const source = parseYaml(text);
  const place = (path: readonly (string | number)[], on: 'key' | 'value' = 'value') => {
    const { line, column } = source.locate(path, on);
    return `${line}:${column}`;
  };
  expect(place(['base', 'name'])).toBe('2:9');
  expect(place(['base', 'name'], 'key')).toBe('2:3');
  expect(place(['base', 'list', 1])).toBe('3:13');
  expect(place(['copy', 'name'])).toBe('2:9');
  expect(place(['copy', 'empty'])).toBe('6:3');
  expect(place(['alias'])).toBe('7:8');
  expect(place(['alias', 'list', 0])).toBe('3:10');
  expect(place(['copy', 'missing'])).toBe('5:3');
  expect(place(['base', 'list', 9])).toBe('3:9');
  expect(place([])).toBe('1:1');
});

test('thousands of aliases and merges are read in a moment', () => {
  let text = 'pools:\n- &base\n  name: base\n  healthCheck: &check { interval: 5s }\n';
  for (let pool = 0; pool < 3000; pool++) text += `- { <<: *base, name: p${pool}, healthCheck: *check }\n`;
  const tookMs = cpuMsOf(() => {
    const { pools } = valueOf(text) as { pools: unknown[] };
    expect(pools).toHaveLength(3001);
  });
  expect(tookMs).toBeLessThan(3000);
}, 60_000);

test('what is no YAML at all never throws', () => {
  for (const text of [
    '\0',
    '%YAML 9',
    '--- |',
    '&',
    '*',
    '!',
    '{',
    '"\\x',
    '- - -\n\t',
    '\u2028',
    '? ? ?',
    '...',
  ]) {
    const source = parseYaml(text);
    for (const { offset } of source.problems) expect(source.position(offset).line).toBeGreaterThanOrEqual(1);
  }
});
