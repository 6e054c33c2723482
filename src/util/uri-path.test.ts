import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { normalisePath } from './uri-path.ts';

describe('normalisePath', () => {
  test.each([
    '/',
    '/a',
    '/a/b.c/',
    "/!$&'()*+,;=:@-_~",
    '/a;v=1/b',
    '/a..b/...',
    '/a%2Fb',
    '/.well-known/x',
    '/a%25b',
    '/%C3%A9',
  ])('keeps %s', (path) => {
    expect(normalisePath(path)).toBe(path);
  });

  test.each([
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/.', '/a/'],
    ['/a/b/..', '/a/'],
    ['/..', '/'],
    ['/../../x', '/x'],
    ['/.', '/'],
    ['//', '/'],
    ['//evil.example/x', '/evil.example/x'],
    ['/a//b///c//', '/a/b/c/'],
    ['/a//../b', '/b'],
    ['/%61%2D%2e%5F%7e', '/a-._~'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e', '/'],
    ['/%2e/a', '/a'],
    ['/a%2fb', '/a%2Fb'],
    ['/%c3%a9', '/%C3%A9'],
    ['/%3b', '/%3B'],
    ['/%2541', '/%2541'],
    ['/a{b}|"<>^`', '/a%7Bb%7D%7C%22%3C%3E%5E%60'],
    ['/%7b', '/%7B'],
    ['/...%2Fa', '/...%2Fa'],
  ])('%s becomes %s', (path, expected) => {
    expect(normalisePath(path)).toBe(expected);
  });

  test.each([
    '',
    '*',
    'a',
    '%2Fa',
    '/%',
    '/%4',
    '/%4g',
    '/%%41',
    '/%00',
    '/a%0d%0ab',
    '/%1f',
    '/%7f',
    '/a\\b',
    '/a%5cb',
    '/a%5Cb',
    '/a b',
    '/a\tb',
    '/\u00e9',
    '/\u0000',
    '/a\n',
    '/a/..;/b',
    '/a/.;x/b',
    '/a/%2e%2e;/b',
    '/a/..%2fb',
    '/a/%2e%2e%2fb',
    '/a%2f..%2fb',
    '/a%2f../b',
    '/a%2f.',
  ])('refuses %p', (path) => {
    expect(normalisePath(path)).toBeUndefined();
  });
});

/** Mostly what makes paths difficult. */
const difficult = fc
  .array(
    fc.constantFrom(
      '/',
      '/',
      '.',
      '..',
      'a',
      'B',
      '%2e',
      '%2E',
      '%2f',
      '%2F',
      '%41',
      '%7b',
      '%25',
      '%',
      '5c',
      '\\',
      ';',
      '{',
      '00',
      '~',
      '%20',
      '=',
    ),
    { maxLength: 14 },
  )
  .map((parts) => `/${parts.join('')}`);

test('is idempotent, and what comes out is one safe spelling', () => {
  let accepted = 0;
  fc.assert(
    fc.property(difficult, (path) => {
      const result = normalisePath(path);
      if (result === undefined) return;
      accepted++;
      expect(normalisePath(result)).toBe(result);
      expect(result).toMatch(/^\/(?!\/)/);
      expect(result).not.toMatch(/\/\/|\/\.\.?(\/|$)|[^!-~]|\\|[a-f](?<=%.?[a-f])/);
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(500);
});

test('agrees with the URL parser where that one resolves dots and nothing else', () => {
  const segments = fc.array(fc.constantFrom('a', 'bc', '.', '..', '%2e', '%2E%2e', 'x.y'), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(segments, fc.boolean(), (names, closed) => {
      const path = `/${names.join('/')}${closed ? '/' : ''}`;
      expect(normalisePath(path)).toBe(new URL(path, 'http://a').pathname);
    }),
  );
});

test('however unreserved characters are spelled, the result is the same', () => {
  const name = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', '-', '.', '_', '~', '/'),
    maxLength: 12,
  });
  fc.assert(
    fc.property(name, fc.infiniteStream(fc.integer({ min: 0, max: 2 })), (text, choices) => {
      const path = `/${text}`;
      let spelled = '/';
      for (const character of text) {
        const hex = character.charCodeAt(0).toString(16);
        const choice = character === '/' ? 0 : choices.next().value;
        spelled += choice === 0 ? character : choice === 1 ? `%${hex}` : `%${hex.toUpperCase()}`;
      }
      expect<string | undefined>(normalisePath(spelled)).toBe(normalisePath(path));
    }),
  );
});
