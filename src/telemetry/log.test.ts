import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeClock } from '../util/fake-clock.ts';
import { AppLog, type LogLevel } from './log.ts';

function setUp(level: LogLevel = 'info', format: 'text' | 'json' = 'text') {
  const lines: string[] = [];
  const clock = new FakeClock();
  const log = new AppLog({ level, format, clock, sink: { write: (line) => lines.push(line) } });
  return { lines, clock, log };
}

describe('AppLog', () => {
  test('writes time, level, event and fields on one line', () => {
    const { lines, log } = setUp();
    log.info('endpoint.unhealthy', {
      pool: 'web',
      endpoint: '[::1]:80',
      reason: 'status 500',
      fall: 3,
      up: false,
    });
    expect(lines).toEqual([
      '2023-11-14T22:13:20.000Z INFO  endpoint.unhealthy pool=web endpoint="[::1]:80" reason="status 500" fall=3 up=false\n',
    ]);
  });

  test('writes JSON with numbers and booleans as such', () => {
    const { lines, log } = setUp('info', 'json');
    log.warn('queue.full', { pool: 'web', size: 10, ratio: Number.NaN, strict: true, none: undefined });
    expect(lines).toEqual([
      '{"time":"2023-11-14T22:13:20.000Z","level":"warn","event":"queue.full","pool":"web","size":10,"ratio":null,"strict":true}\n',
    ]);
  });

  test('leaves out what is below the level', () => {
    const { lines, log } = setUp('warn');
    log.debug('a');
    log.info('a');
    log.warn('a');
    log.error('a');
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['WARN', 'ERROR']);
  });

  test('no value can forge a line or reach a terminal', () => {
    const { lines, log } = setUp();
    log.info('request', {
      target: '/\r\n2023 ERROR forged x=1\u001b[31m\u0000\u007f\u0085"\\',
      path: '\u2028\u202e\u{1f600}',
    });
    expect(lines).toEqual([
      '2023-11-14T22:13:20.000Z INFO  request target="/\\x0d\\x0a2023 ERROR forged x=1\\x1b[31m\\x00\\x7f\\x85\\"\\\\"' +
        ' path="\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xf0\\x9f\\x98\\x80"\n',
    ]);
  });

  test('whatever the values are, a line is one line of printable ASCII, and JSON gives them back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (event, value) => {
        for (const format of ['text', 'json'] as const) {
          const { lines, log } = setUp('info', format);
          log.info(event, { value });
          expect(lines).toHaveLength(1);
          expect(lines[0]).toMatch(/^[\x20-\x7e]+\n$/);
          if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ event, value });
        }
      }),
    );
  });

  test('tells how many lines of an event it held back, and starts anew after ten seconds', () => {
    const { lines, clock, log } = setUp();
    for (let i = 0; i < 223; i++) log.warn('dial.failed', { i });
    log.info('other');
    expect(lines).toHaveLength(101);
    expect(lines[99]).toContain('i=99\n');
    clock.advance(9999);
    expect(lines).toHaveLength(101);
    clock.advance(1);
    expect(lines[101]).toBe('2023-11-14T22:13:30.000Z WARN  dial.failed suppressed=123\n');
    log.warn('dial.failed');
    expect(lines).toHaveLength(103);
    clock.advance(60_000);
    expect(lines).toHaveLength(103);
    expect(clock.pending).toBe(0);
  });
});
