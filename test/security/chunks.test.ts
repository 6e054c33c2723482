import {
  body,
  describeRequests,
  either,
  forwarded,
  head,
  refusedMidBody,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

const HEAD = head('POST', 'Transfer-Encoding: chunked');

/** Bodies that RFC 9112 section 7.1 does not allow, or that two readers end in two places. */
const BAD: readonly (readonly [string, string])[] = [
  ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a plus sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a minus sign', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a size with an underscore', '0_5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a blank in front', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a letter beyond f', '5g\r\nhello\r\n0\r\n\r\n'],
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['a size of 2^64 + 5', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size of 2^63', '8000000000000000\r\nhello\r\n0\r\n\r\n'],
  ['a size that wraps 32 bits', '100000005\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n'],
  ['a size that ends in LF', '5\nhello\r\n0\r\n\r\n'],
  ['a size that ends in CR', '5\rhello\r\n0\r\n\r\n'],
  ['a size that ends in CR and another byte', '5\rXhello\r\n0\r\n\r\n'],
  ['a size with a NUL', '5\0\r\nhello\r\n0\r\n\r\n'],
  ['data that ends in LF', '5\r\nhello\n0\r\n\r\n'],
  ['data that ends in CR', '5\r\nhello\r0\r\n\r\n'],
  ['data that ends in nothing', '5\r\nhello0\r\n\r\n'],
  ['data that ends in two other bytes', '5\r\nhelloXX0\r\n\r\n'],
  ['data that ends in LF CR', '5\r\nhello\n\r0\r\n\r\n'],
  ['data longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['data shorter than its size', `6\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a last chunk that ends in LF', '5\r\nhello\r\n0\n\r\n'],
  ['a last chunk behind which an LF ends all', '5\r\nhello\r\n0\r\n\n'],
  ['an extension with a bare LF', '5;a\nhello\r\n0\r\n\r\n'],
  ['an extension with a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a NUL', '5;a\0b\r\nhello\r\n0\r\n\r\n'],
  ['an LF in a quoted extension', '5;a="b\nc"\r\nhello\r\n0\r\n\r\n'],
  ['a CR LF in a quoted extension', '5;a="b\r\nhello\r\n0\r\n\r\n"\r\nhello\r\n0\r\n\r\n'],
  ['an extension of 64 KiB', `5;${'a'.repeat(65_536)}\r\nhello\r\n0\r\n\r\n`],
  ['a flood of extensions', `${`1;${'x'.repeat(4000)}\r\na\r\n`.repeat(64)}0\r\n\r\n`],
];

/** A body that ends wrongly is refused; one that ends where nobody disagrees may be forwarded up to that end. */
const cases: RequestCase[] = BAD.filter(([name]) => !name.startsWith('a CR LF')).map(([name, bytes]) => ({
  name: `refuses ${name}`,
  send: `${HEAD}${bytes}`,
  expected: name === 'a size that wraps 32 bits' ? refusedMidBody(400, 408, 413) : refusedMidBody(400, 413),
}));

cases.push(
  {
    name: 'refuses or drops an extension in quotes that are closed behind a CR LF',
    send: `${HEAD}5;a="b\r\nhello\r\n0\r\n\r\n`,
    expected: either([400], body('hello')),
  },
  {
    name: 'drops an extension',
    send: `${HEAD}5;name=value\r\nhello\r\n0\r\n\r\n`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'drops a quoted extension',
    send: `${HEAD}5;name="a; b"\r\nhello\r\n0;last\r\n\r\n`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'gives blanks behind the size one meaning or none',
    send: `${HEAD}5  \r\nhello\r\n0\r\n\r\n`,
    expected: either([400], body('hello')),
  },
  {
    name: 'gives blanks around an extension one meaning or none',
    send: `${HEAD}5 ; a = b\r\nhello\r\n0\r\n\r\n`,
    expected: either([400], body('hello')),
  },
  {
    name: 'forwards sizes with leading zeros',
    send: `${HEAD}0005\r\nhello\r\n000\r\n\r\n`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards sizes in either case',
    send: `${HEAD}A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n`,
    expected: forwarded(body('01234567890123456789')),
  },
  {
    name: 'gives sizes with very many leading zeros one meaning or none',
    send: `${HEAD}${'0'.repeat(64)}5\r\nhello\r\n0\r\n\r\n`,
    expected: either([400], body('hello')),
  },
  {
    name: 'forwards a body that comes byte by byte',
    send: [HEAD, ...'5\r\nhello\r\n0\r\n\r\n'.split('')],
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards a body without data',
    send: `${HEAD}0\r\n\r\n`,
    expected: forwarded(body('')),
  },
  {
    name: 'does not end a body that stops',
    send: `${HEAD}5\r\nhello\r\n`,
    expected: refusedMidBody(408),
  },
  {
    name: 'does not end a body that stops in the last line',
    send: `${HEAD}5\r\nhello\r\n0\r\n`,
    expected: refusedMidBody(408),
  },
  {
    name: 'takes what follows the body for the next request',
    send: `${HEAD}5\r\nhello\r\n0\r\n\r\n${head('GET')}`,
    expected: forwarded(body('hello'), 2),
  },
);

describeRequests('chunked request bodies', cases);
