import { describeRequests, either, forwarded, head, refused, type RequestCase } from './request-suite.ts';

const KIB = 1024;

/** The defaults: 8 KiB of request line, 32 KiB of head, 100 fields. Memory for a head is bounded before 64 KiB. */
const cases: RequestCase[] = [
  {
    name: 'forwards a target just below the limit',
    send: `GET /${'a'.repeat(8 * KIB - 40)} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
    expected: forwarded(),
  },
  {
    name: 'refuses a target beyond the limit',
    send: `GET /${'a'.repeat(9 * KIB)} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
    expected: refused(414),
  },
  {
    name: 'refuses a request line without an end',
    send: `GET /${'a'.repeat(100 * KIB)}`,
    expected: refused(414, 431),
  },
  {
    name: 'refuses a request line without an end that comes in pieces',
    send: Array.from({ length: 40 }, (_, index) => (index === 0 ? 'GET /' : 'a'.repeat(2 * KIB))),
    expected: refused(414, 431),
  },
  {
    name: 'forwards a large head within the limit',
    send: head('GET', ...Array.from({ length: 30 }, (_, index) => `X-${index}: ${'v'.repeat(1000)}`)),
    expected: forwarded(),
  },
  {
    name: 'refuses a field beyond the limit',
    send: head('GET', `X-Long: ${'v'.repeat(40 * KIB)}`),
    expected: refused(431),
  },
  {
    name: 'refuses a field name beyond the limit',
    send: head('GET', `${'n'.repeat(40 * KIB)}: v`),
    expected: refused(400, 431),
  },
  {
    name: 'refuses a field without an end',
    send: `GET /attack HTTP/1.1\r\nHost: a.test\r\nX-Long: ${'v'.repeat(200 * KIB)}`,
    expected: refused(431),
  },
  {
    name: 'refuses a head without an end',
    send: `GET /attack HTTP/1.1\r\nHost: a.test\r\n${'X-A: b\r\n'.repeat(20_000)}`,
    expected: refused(431),
  },
  {
    name: 'refuses a head of 4 MiB',
    send: head('GET', ...Array.from({ length: 4 }, (_, index) => `X-${index}: ${'v'.repeat(KIB * KIB)}`)),
    expected: refused(431),
  },
  {
    name: 'forwards 90 fields',
    send: head('GET', ...Array.from({ length: 90 }, (_, index) => `X-${index}: v`)),
    expected: forwarded(),
  },
  {
    name: 'refuses 200 fields',
    send: head('GET', ...Array.from({ length: 200 }, (_, index) => `X-${index}: v`)),
    expected: refused(431),
  },
  {
    name: 'refuses 500 fields of one name',
    send: head('GET', ...Array.from({ length: 500 }, () => 'X-A: v')),
    expected: refused(431),
  },
  {
    name: 'refuses a head that stops',
    send: 'GET /attack HTTP/1.1\r\nHost: a.te',
    expected: refused(408),
  },
  {
    name: 'refuses a head that comes too slowly',
    send: Array.from({ length: 9 }, (_, index) =>
      index === 0 ? 'GET /attack HTTP/1.1\r\n' : `X-${index}: v\r\n`,
    ),
    expected: refused(408),
  },
  {
    name: 'refuses a cookie of 40 KiB',
    send: head('GET', `Cookie: a=${'b'.repeat(40 * KIB)}`),
    expected: refused(431),
  },
  {
    name: 'forwards or refuses many cookies',
    send: head('GET', `Cookie: ${Array.from({ length: 1000 }, (_, index) => `c${index}=1`).join('; ')}`),
    expected: either([431]),
  },
];

describeRequests('limits of the request head', cases);
