import {
  body,
  describeRequests,
  either,
  forwarded,
  head,
  refused,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

/** RFC 9110 section 8.6: Content-Length = 1*DIGIT. Nothing else has a length in it. */
const NOT_A_LENGTH: readonly (readonly [string, string])[] = [
  ['a plus sign', '+5'],
  ['a minus sign', '-5'],
  ['minus zero', '-0'],
  ['hexadecimal', '0x5'],
  ['octal with a letter', '0o5'],
  ['an underscore', '5_0'],
  ['a decimal point', '5.0'],
  ['an exponent', '5e0'],
  ['a unit', '5b'],
  ['blanks within', '5 5'],
  ['a tab within', '1\t5'],
  ['quotes', '"5"'],
  ['a parameter', '5;q=1'],
  ['a no-break space before', '\xa05'],
  ['a no-break space behind', '5\xa0'],
  ['a vertical tab before', '\x0b5'],
  ['a form feed behind', '5\x0c'],
  ['a NUL behind', '5\0'],
  ['a bare CR behind', '5\r'],
  ['a superscript digit', '\xb2'],
  ['nothing', ''],
  ['only blanks', '   '],
  ['only a comma', ','],
  ['a list of different lengths', '5, 6'],
  ['a list with an empty element', '5,'],
  ['2^64 + 5', '18446744073709551621'],
  ['2^63', '9223372036854775808'],
  ['2^53', '9007199254740992'],
  ['2^32 * 2^32 digits that wrap', '340282366920938463463374607431768211461'],
  ['a thousand digits', '9'.repeat(1000)],
];

const cases: RequestCase[] = NOT_A_LENGTH.map(([name, value]) => ({
  name: `refuses a length with ${name}`,
  send: `${head('POST', `Content-Length: ${value}`)}hello${SMUGGLED}`,
  expected: refused(400, 413),
}));

cases.push(
  {
    name: 'forwards a plain length',
    send: `${head('POST', 'Content-Length: 5')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards a length of zero',
    send: head('POST', 'Content-Length: 0'),
    expected: forwarded(body('')),
  },
  {
    name: 'forwards a length with blanks around it',
    send: `${head('POST', 'Content-Length: \t 5 \t ')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards a length without a blank in front',
    send: `${head('POST', 'Content-Length:5')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'gives leading zeros one meaning or none',
    send: `${head('POST', 'Content-Length: 0000000005')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'gives leading zeros that look octal one meaning or none',
    send: `${head('POST', 'Content-Length: 010')}helloworld`,
    expected: either([400], body('helloworld')),
  },
  {
    name: 'refuses two different lengths',
    send: `${head('POST', 'Content-Length: 5', 'Content-Length: 6')}hello!`,
    expected: refused(400),
  },
  {
    name: 'refuses two different lengths, the smaller last',
    send: `${head('POST', `Content-Length: ${5 + SMUGGLED.length}`, 'Content-Length: 5')}hello${SMUGGLED}`,
    expected: refused(400),
  },
  {
    name: 'refuses two lengths that differ only as text',
    send: `${head('POST', 'Content-Length: 5', 'Content-Length: 05')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'sends one length for two equal lines, or none',
    send: `${head('POST', 'Content-Length: 5', 'content-length: 5')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'sends one length for a list of equal ones, or none',
    send: `${head('POST', 'Content-Length: 5, 5')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'refuses a length beside an empty one',
    send: `${head('POST', 'Content-Length: ', 'Content-Length: 5')}hello`,
    expected: refused(400),
  },
  {
    name: 'does not take a name with a look-alike letter for the length',
    send: `${head('POST', 'Content-Length: 5', 'Content-Lengt\xe8: 9')}hello`,
    expected: refused(400),
  },
);

describeRequests('Content-Length', cases);
