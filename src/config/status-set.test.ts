import { describe, expect, test } from 'bun:test';

import { parseStatusRange, parseStatusSet } from './status-set.ts';

describe('parseStatusRange', () => {
  test.each([
    [404, [404, 404]],
    ['404', [404, 404]],
    ['200-299', [200, 299]],
    ['100-599', [100, 599]],
  ] as const)('%p', (range, bounds) => {
    expect(parseStatusRange(range)).toEqual([...bounds] as [number, number]);
  });

  test.each([
    '',
    '2xx',
    '20',
    '2000',
    '299-200',
    '99-200',
    '200-600',
    '200-',
    '-200',
    '200 - 299',
    600,
    99,
    200.5,
  ])('%p is none', (range) => expect(parseStatusRange(range)).toBeUndefined());
});

describe('parseStatusSet', () => {
  test('holds exactly what its ranges name', () => {
    const has = parseStatusSet([200, '204', '500-504']);
    const held = Array.from({ length: 1000 }, (_, status) => status).filter(has);
    expect(held).toEqual([200, 204, 500, 501, 502, 503, 504]);
  });

  test('takes one range alone, and none', () => {
    expect(parseStatusSet('200-399')(399)).toBe(true);
    expect(parseStatusSet(200)(201)).toBe(false);
    expect(parseStatusSet([])(200)).toBe(false);
  });

  test('throws on what is no range', () => {
    expect(() => parseStatusSet('2xx')).toThrow(RangeError);
  });
});
