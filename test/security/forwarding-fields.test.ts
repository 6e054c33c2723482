import { expect } from 'bun:test';

import { valueOf, valuesOf } from '../support/strict-fields.ts';
import { type Check, describeRequests, either, forwarded, head, type RequestCase } from './request-suite.ts';

/** Nobody is trusted here, so every claim of the client about where it comes from is replaced (RFC 7239 section 8). */
const SPOOFED: readonly (readonly string[])[] = [
  ['X-Forwarded-For: 6.6.6.6'],
  ['X-Forwarded-For: 6.6.6.6, 7.7.7.7'],
  ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 7.7.7.7'],
  ['x-fOrWaRdEd-FoR: 6.6.6.6'],
  ['X-Forwarded-For:', 'X-Forwarded-For: 6.6.6.6'],
  ['X-Forwarded-Proto: https'],
  ['X-Forwarded-Host: evil.test'],
  ['Forwarded: for=6.6.6.6;proto=https;host=evil.test'],
  ['Forwarded: for=6.6.6.6', 'Forwarded: for=7.7.7.7'],
  ['Forwarded: for="6.6.6.6", for=unknown'],
  ['X-Real-IP: 6.6.6.6'],
  ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'X-Real-IP: 6.6.6.6', 'X-Forwarded-Proto: https'],
];

const truthOnly: Check = ([request]) => {
  if (request === undefined) return;
  expect(valuesOf(request, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  expect(valuesOf(request, 'x-forwarded-proto')).toEqual(['http']);
  expect(valuesOf(request, 'x-forwarded-host')).toEqual(['a.test']);
  expect(valuesOf(request, 'forwarded').length).toBe(1);
  const all = request.fields.map(([, value]) => value).join('\n');
  expect(all).not.toMatch(/6\.6\.6\.6|7\.7\.7\.7|evil\.test|https/);
};

/** Names that a CGI-like endpoint takes for the fields that we set or that frame the message. */
const UNDERSCORED: readonly string[] = [
  'X_Forwarded_For: 6.6.6.6',
  'X_Forwarded-For: 6.6.6.6',
  'X-Forwarded_Proto: https',
  'X_FORWARDED_HOST: evil.test',
  'Content_Length: 100',
  'X_Real_IP: 6.6.6.6',
];

const cases: RequestCase[] = [
  ...SPOOFED.map((lines) => ({
    name: `replaces ${lines.join(' + ')}`,
    send: head('GET', ...lines),
    expected: forwarded(truthOnly),
  })),
  ...UNDERSCORED.map((line) => ({
    name: `drops or refuses ${line}`,
    send: head('GET', line),
    expected: either([400], ([request]) => {
      const name = line.slice(0, line.indexOf(':')).toLowerCase();
      expect(request === undefined ? '' : valueOf(request, name)).toBeUndefined();
    }),
  })),
  {
    name: 'never forwards Proxy (httpoxy)',
    send: head('GET', 'Proxy: http://evil.test:8080'),
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'proxy')).toBeUndefined();
    }),
  },
  {
    name: 'does not forward what X-Forwarded-Port claims',
    send: head('GET', 'X-Forwarded-Port: 443', 'X-Forwarded-Server: evil'),
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : (valueOf(request, 'x-forwarded-port') ?? '')).not.toBe('443');
      expect(request === undefined ? '' : (valueOf(request, 'x-forwarded-server') ?? '')).not.toBe('evil');
    }),
  },
  {
    name: 'adds itself to Via behind those before',
    send: head('GET', 'Via: 1.1 first'),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'via')).toMatch(/^1\.1 first, 1\.1 pointsman/);
    }),
  },
  {
    name: 'quotes nothing into Forwarded that breaks out of it',
    send: 'GET /attack HTTP/1.1\r\nHost: a;for=6.6.6.6\r\n\r\n',
    expected: either([400], ([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'forwarded')).not.toMatch(/;for=6\.6\.6\.6(?!")/);
    }),
  },
];

describeRequests('forwarding fields', cases);
