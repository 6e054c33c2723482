import { describe, expect, test } from 'bun:test';
import { array, assert, constantFrom, option, property, record, subarray } from 'fast-check';

import type { TlsMatchConfig } from '../config/schema/tls-route.ts';
import { TlsRouter } from './tls-router.ts';

function routed(
  matches: readonly (TlsMatchConfig | undefined)[],
  serverName: string,
  ...alpn: string[]
): number {
  const router = new TlsRouter(
    matches.map((match) => ({ match })),
    (index) => index,
  );
  return router.route({ serverName, alpn })?.index ?? -1;
}

describe('a TLS client', () => {
  const cases: readonly (readonly [string, TlsMatchConfig | undefined, string, string[], boolean])[] = [
    ['its name', { sni: 'a.example' }, 'a.example', [], true],
    ['its name, written in capitals', { sni: 'A.Example' }, 'a.example', [], true],
    ['another name', { sni: 'a.example' }, 'b.example', [], false],
    ['a name below', { sni: 'example' }, 'a.example', [], false],
    ['a wildcard, one label', { sni: '*.example' }, 'a.example', [], true],
    ['a wildcard, two labels', { sni: '*.example' }, 'b.a.example', [], true],
    ['a wildcard, no label', { sni: '*.example' }, 'example', [], false],
    ['a wildcard, no dot', { sni: '*.example' }, 'an-example', [], false],
    ['one of several names', { sni: ['x', '*.y', 'a.example'] }, 'a.example', [], true],
    ['no name, where one is wanted', { sni: '*.example' }, '', [], false],
    ['no name, where none is wanted', { alpn: 'h2' }, '', ['h2'], true],
    ['no name, no condition', undefined, '', [], true],
    ['an empty condition', {}, 'a.example', [], true],
    ['a protocol', { alpn: 'h2' }, 'a.example', ['http/1.1', 'h2'], true],
    ['another protocol', { alpn: 'h2' }, 'a.example', ['http/1.1'], false],
    ['no protocol', { alpn: 'h2' }, 'a.example', [], false],
    ['one of several protocols', { alpn: ['h3', 'h2'] }, '', ['h2'], true],
    ['its name and a protocol', { sni: 'a.example', alpn: 'h2' }, 'a.example', ['h2'], true],
    ['its name and another protocol', { sni: 'a.example', alpn: 'h2' }, 'a.example', ['http/1.1'], false],
  ];
  for (const [what, match, name, alpn, taken] of cases) {
    test(`${what}: ${taken ? 'taken' : 'not taken'}`, () => {
      expect(routed([match], name, ...alpn)).toBe(taken ? 0 : -1);
    });
  }

  test('the first route wins, by whatever it is found', () => {
    const routes = [{ sni: 'a.example', alpn: 'h2' }, { sni: '*.example' }, { sni: 'a.example' }, undefined];
    expect(routed(routes, 'a.example', 'h2')).toBe(0);
    expect(routed(routes, 'a.example')).toBe(1);
    expect(routed(routes, 'example')).toBe(3);
    expect(routed([undefined, ...routes], 'a.example', 'h2')).toBe(0);
  });

  test('is routed as by trying one route after the other', () => {
    const names = ['a.example', 'b.a.example', '*.example', '*.a.example', 'example', '*.b.a.example'];
    const protocols = ['h2', 'http/1.1'];
    const match = record({
      sni: option(subarray(names, { minLength: 1 }), { nil: undefined }),
      alpn: option(subarray(protocols, { minLength: 1 }), { nil: undefined }),
    });
    const matchesName = (pattern: string, name: string): boolean =>
      pattern.startsWith('*.')
        ? name.endsWith(pattern.slice(1)) && name.length >= pattern.length
        : name === pattern;
    assert(
      property(
        array(match, { maxLength: 8 }),
        constantFrom('', 'example', 'a.example', 'b.a.example', 'c.b.a.example', 'x'),
        subarray(protocols),
        (routes, name, alpn) => {
          const expected = routes.findIndex(
            (route) =>
              (route.sni === undefined ||
                (name !== '' && route.sni.some((pattern) => matchesName(pattern, name)))) &&
              (route.alpn === undefined || route.alpn.some((protocol) => alpn.includes(protocol))),
          );
          expect(routed(routes, name, ...alpn)).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });
});
