import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';

import { ACCESS_FIELDS } from '../config/access-fields.ts';
import type { AccessEntry } from '../model/access-entry.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { compileAccessFormat, compileSessionFormat } from './access-format.ts';
import { BatchedAccessLog } from './access-log.ts';
import { AppLog } from './log.ts';

const ENTRY: AccessEntry = {
  startWallMs: 1_700_000_000_007.9,
  durationMs: 12.34567,
  listener: 'web',
  route: 'routes[2]',
  pool: 'api',
  endpoint: '10.0.0.1:3000',
  clientIp: '2001:db8::7',
  peerIp: '10.0.0.9',
  peerPort: 50_000,
  clientPort: 51234,
  method: 'GET',
  target: '/items?id=7',
  host: 'www.example.com',
  protocol: 'HTTP/1.1',
  tlsVersion: '',
  tlsCipher: '',
  serverName: '',
  alpn: '',
  status: 200,
  requestBytes: 0,
  responseBytes: 1234,
  failure: '',
  attempts: 1,
  ttfbMs: 11,
  queuedMs: 0,
  connectMs: 0.5,
  reused: false,
  userAgent: 'curl/8.0 (x)',
  referer: '',
};

/** A client's bytes, one character each: everything that could end a line or a quoted value. */
const HOSTILE = '/"\r\n1.2.3.4 - - [x] "GET / HTTP/1.1" 200 0\u001b[2J\u0000\\\u00ff\u0085';

function line(format: string, changes: Partial<AccessEntry> = {}): string {
  return compileAccessFormat(format)({ ...ENTRY, ...changes });
}

const SESSION: SessionEntry = {
  startWallMs: 1_700_000_000_007.9,
  durationMs: 5012.34567,
  listener: 'pg',
  pool: 'db',
  endpoint: 'pg-1',
  clientIp: '192.0.2.7',
  clientPort: 51234,
  peerIp: '10.0.0.9',
  peerPort: 50_000,
  protocol: 'TCP',
  route: '',
  serverName: '',
  alpn: '',
  requestBytes: 512,
  responseBytes: 4096,
  failure: 'session_idle',
  attempts: 2,
  queuedMs: 0,
  connectMs: 0.5,
};

describe('sessions', () => {
  const sessionLine = (format: string): string => compileSessionFormat(format)(SESSION);

  test('json has every field of a session, and none of a request', () => {
    const { startWallMs: _, ...fields } = SESSION;
    expect(JSON.parse(sessionLine('json'))).toEqual({
      ...fields,
      time: '2023-11-14T22:13:20.007Z',
      durationMs: 5012.346,
    });
  });

  test('logfmt and templates', () => {
    expect(sessionLine('logfmt')).toStartWith(
      'time=2023-11-14T22:13:20.007Z durationMs=5012.346 listener=pg ',
    );
    expect(sessionLine('logfmt')).toContain(' failure=session_idle ');
    expect(sessionLine('${clientIp} ${method} ${endpoint} ${requestBytes}/${responseBytes}')).toBe(
      '192.0.2.7 - pg-1 512/4096\n',
    );
    expect(sessionLine('combined')).toBe(
      '192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "- - TCP" - 4096 "-" "-"\n',
    );
  });
});

describe('formats', () => {
  test('json has every field under its own name', () => {
    const parsed = JSON.parse(line('json')) as Record<string, unknown>;
    expect(parsed).toEqual({
      ...Object.fromEntries(Object.entries(ENTRY).filter(([key]) => key !== 'startWallMs')),
      time: '2023-11-14T22:13:20.007Z',
      durationMs: 12.346,
    });
    expect(Object.keys(parsed)).toEqual(ACCESS_FIELDS.slice(0, -3));
  });

  test('json has null for the time to the first byte of a response that never came', () => {
    expect(JSON.parse(line('json', { ttfbMs: -1 }))).toMatchObject({ ttfbMs: null });
  });

  test('logfmt', () => {
    expect(line('logfmt')).toBe(
      'time=2023-11-14T22:13:20.007Z durationMs=12.346 listener=web route="routes[2]" pool=api endpoint=10.0.0.1:3000' +
        ' clientIp=2001:db8::7 clientPort=51234 peerIp=10.0.0.9 peerPort=50000 method=GET target="/items?id=7" host=www.example.com protocol=HTTP/1.1 tlsVersion="" tlsCipher="" serverName="" alpn=""' +
        ' status=200 requestBytes=0 responseBytes=1234 failure="" attempts=1 ttfbMs=11 queuedMs=0 connectMs=0.5' +
        ' reused=false userAgent="curl/8.0 (x)" referer=""\n',
    );
  });

  test('common and combined, as Apache and nginx write them', () => {
    const common = '2001:db8::7 - - [14/Nov/2023:22:13:20 +0000] "GET /items?id=7 HTTP/1.1" 200 1234';
    expect(line('common')).toBe(`${common}\n`);
    expect(line('combined')).toBe(`${common} "-" "curl/8.0 (x)"\n`);
  });

  test('a template: fields, text between them, "-" for what is not there', () => {
    expect(line('<${path}> <${query}> ${failure} ${ttfbMs}ms', { ttfbMs: -1 })).toBe(
      '</items> <id=7> - -ms\n',
    );
    expect(line('${path}|${query}', { target: '/plain' })).toBe('/plain|-\n');
  });

  test('the text of a template cannot break the line either', () => {
    expect(line('a\n"\t\u00e9"${status}')).toBe('a\\x0a"\t\\xe9"200\n');
  });

  test.each(['json', 'logfmt', 'common', 'combined', '${target} ${userAgent}'])(
    '%s: bytes of a client stay inside their value',
    (format) => {
      const written = line(format, {
        target: HOSTILE,
        userAgent: HOSTILE,
        host: HOSTILE,
        method: HOSTILE,
        referer: HOSTILE,
      });
      expect(written).toMatch(/^[\x20-\x7e]+\n$/);
      if (format === 'json')
        expect(JSON.parse(written)).toMatchObject({ target: HOSTILE, userAgent: HOSTILE });
      else expect(written).toContain('\\x0d\\x0a1.2.3.4');
      // A combined line must still come apart: the quotes of the client are not quotes of the line.
      if (format === 'combined') {
        const parts =
          /^(\S+) - - \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d+) (\d+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"\n$/;
        expect(written).toMatch(parts);
      }
    },
  );

  test('any text at all gives one line in every format', () => {
    const formats = ['json', 'logfmt', 'combined', '${target}'].map(compileAccessFormat);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const format of formats)
          expect(format({ ...ENTRY, target: text, userAgent: text })).toMatch(/^[\x20-\x7e]*\n$/);
      }),
    );
  }, 30_000);

  test('seconds change and times are padded', () => {
    const times = [1_700_000_000_000, 1_700_000_000_999, 1_700_000_001_010, 1_700_000_000_100];
    expect(times.map((startWallMs) => line('${time}', { startWallMs }))).toEqual([
      '2023-11-14T22:13:20.000Z\n',
      '2023-11-14T22:13:20.999Z\n',
      '2023-11-14T22:13:21.010Z\n',
      '2023-11-14T22:13:20.100Z\n',
    ]);
  });
});

describe('BatchedAccessLog', () => {
  let directory: string;
  let path: string;
  const clock = new FakeClock();
  const logged: string[] = [];
  const log = new AppLog({
    level: 'info',
    format: 'text',
    clock,
    sink: { write: (text) => logged.push(text.slice(25)) },
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pointsman-'));
    path = join(directory, 'access.log');
    logged.length = 0;
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  test('keeps nothing of the entry, which may be filled again', async () => {
    const accessLog = BatchedAccessLog.open({ path, format: '${status}' }, clock, log);
    const entry = { ...ENTRY };
    accessLog.record(entry);
    entry.status = 404;
    accessLog.record(entry);
    await accessLog.close(1000);
    expect(readFileSync(path, 'latin1')).toBe('200\n404\n');
    expect(accessLog.lines).toBe(2);
  });

  test('says once that the disk is full and once that it no longer is', async () => {
    symlinkSync('/dev/full', path);
    const accessLog = BatchedAccessLog.open({ path, format: 'json' }, clock, log);
    for (let i = 0; i < 5000; i++) accessLog.record(ENTRY);
    for (let i = 0; i < 5; i++) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(accessLog.droppedLines).toBeGreaterThan(2000);
    expect(logged).toEqual([expect.stringContaining('ERROR access-log.trouble path=')]);
    rmSync(path);
    accessLog.reopen();
    await accessLog.close(1000);
    expect(logged).toHaveLength(2);
    expect(logged[1]).toEndWith(` droppedLines=${accessLog.droppedLines}\n`);
    const written = readFileSync(path, 'latin1').trimEnd().split('\n');
    expect(written.length + accessLog.droppedLines).toBe(5000);
  });

  test('a reopen that fails is logged and the old file stays in use', async () => {
    const accessLog = BatchedAccessLog.open({ path, format: '${status}' }, clock, log);
    renameSync(directory, `${directory}.moved`);
    accessLog.reopen();
    renameSync(`${directory}.moved`, directory);
    accessLog.record(ENTRY);
    await accessLog.close(1000);
    expect(logged).toEqual([expect.stringMatching(/^ERROR access-log\.reopen-failed .*ENOENT/)]);
    expect(readFileSync(path, 'latin1')).toBe('200\n');
  });
});
