import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { readJson } from './json-text.ts';
import { parseYaml } from './yaml-source.ts';

/** The text, read as YAML: a comment is none of JSON. */
function asYaml(text: string): unknown {
  const { value, problems } = parseYaml(`${text}\n# YAML`);
  expect(problems).toEqual([]);
  return value;
}

describe('JSON', () => {
  test('means what it means as YAML', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({
        unit: fc.constantFrom('"', '\\', '/', ':', '{', ']', ',', '#', '&', '*', ' ', 'a', '\n', '\t'),
      }),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.oneof(fc.constantFrom('a', '1', '<<', '__proto__', 'b: c', '"', 'true'), fc.string());
    const { map } = fc.letrec<{ map: object; part: unknown }>((tie) => ({
      map: fc.dictionary(key, tie('part'), { maxKeys: 5 }),
      part: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('part'), { maxLength: 5 }), tie('map')),
    }));
    fc.assert(
      fc.property(map, fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const read = readJson(text);
        expect(read).toEqual(JSON.parse(text));
        expect(read).toEqual(asYaml(text) as object);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['', 'nothing'],
    ['[1]', 'a list'],
    ['"a"', 'a text'],
    ['a: 1', 'YAML'],
    ['{a: 1}', 'YAML with braces'],
    ['{"a": 1} # b', 'a comment'],
    ['{"a": 1,}', 'a comma too many'],
    ['{"a": 1', 'a map without end'],
    ['{"a": "b', 'a text without end'],
    ['{"a": "b\\', 'an escape without end'],
    ['{"a": 1, "a": 2}', 'a key twice'],
    ['{"a": {"b": [{"c": 1, "\\u0063": 2}]}}', 'a key twice, spelled in two ways'],
    ['{"__proto__": 1, "__proto__": 2}', 'a key of the prototype twice'],
    [`{"a": ${'['.repeat(150)}${']'.repeat(150)}}`, 'many levels'],
  ])('%s is left to the reader of YAML: %s', (text) => {
    expect(readJson(text)).toBeUndefined();
  });

  test('what colons stand in is no key', () => {
    expect(readJson(' {"a:b": "c:d", "e\\":": ["f:", ":"]}\n')).toEqual({ 'a:b': 'c:d', 'e":': ['f:', ':'] });
  });

  test('problems have their place', () => {
    const source = parseYaml('{\n  "a": [1,\n    {"b": 2}]\n}');
    expect(source.locate(['a', 1, 'b'], 'key')).toEqual({ line: 3, column: 6 });
  });
});
