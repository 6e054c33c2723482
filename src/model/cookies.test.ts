import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { cookieName, cookieValue } from './cookies.ts';
import { Fields } from './fields.ts';
import { Known } from './known-fields.ts';

function fieldsOf(...cookieLines: string[]): Fields {
  const fields = new Fields();
  fields.reset(Buffer.from(cookieLines.map((line) => `Cookie: ${line}\r\n`).join(''), 'latin1'));
  let at = 0;
  for (const line of cookieLines) {
    fields.push(Known.Cookie, at, at + 6, at + 8, at + 8 + line.length, true);
    at += 8 + line.length + 2;
  }
  return fields;
}

function read(name: string, ...lines: string[]): string | undefined {
  return cookieValue(fieldsOf(...lines), cookieName(name));
}

test('finds the cookie among others, by its whole name', () => {
  expect(read('b', 'a=1; b=2; c=3')).toBe('2');
  expect(read('c', 'a=1;b=2;c=3')).toBe('3');
  expect(read('b', 'ab=1; bb=2; b=3')).toBe('3');
  expect(read('B', 'b=1')).toBeUndefined();
  expect(read('a', 'b=a=1')).toBeUndefined();
});

test('keeps the value as it is and takes the first of several', () => {
  expect(read('a', 'a="x y"; a=2')).toBe('"x y"');
  expect(read('a', 'a=x=y==; b=1')).toBe('x=y==');
  expect(read('a', 'a=')).toBe('');
  expect(read('a', 'a=1 \t; b')).toBe('1');
});

test('reads every Cookie line, but not those that were dropped', () => {
  expect(read('b', 'a=1', 'b=2')).toBe('2');
  const fields = fieldsOf('a=1', 'a=2');
  fields.drop(0);
  expect(cookieValue(fields, cookieName('a'))).toBe('2');
});

test('there is nothing in nothing', () => {
  for (const line of ['', ';;; ;', 'a', 'ab', '=1', ' a ']) expect(read('a', line)).toBeUndefined();
  expect(read('a')).toBeUndefined();
});

test('agrees with a parser that splits, on any bytes', () => {
  const line = fc.string({
    unit: fc.constantFrom('a', 'b', '=', ';', ' ', '\t', '"', '\u00ff'),
    maxLength: 24,
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 3 }), fc.constantFrom('a', 'ab', 'b'), (lines, name) => {
      const pairs = lines
        .flatMap((text) => text.split(';'))
        .map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''));
      const expected = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
      expect(read(name, ...lines)).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});
