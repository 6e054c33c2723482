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

const CHUNKED = '5\r\nhello\r\n0\r\n\r\n';

/** Values that are not exactly the one coding we know (RFC 9112 section 6.1). */
const NOT_CHUNKED: readonly (readonly [string, string])[] = [
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['an unknown coding', 'xchunked'],
  ['an unknown coding with a dash', 'x-chunked'],
  ['a longer name', 'chunkedd'],
  ['a shorter name', 'chunke'],
  ['chunked twice', 'chunked, chunked'],
  ['gzip before chunked', 'gzip, chunked'],
  ['chunked before gzip', 'chunked, gzip'],
  ['chunked before identity', 'chunked, identity'],
  ['identity before chunked', 'identity, chunked'],
  ['codings with a blank between', 'identity chunked'],
  ['codings with a semicolon between', 'identity; chunked'],
  ['quotes', '"chunked"'],
  ['single quotes', "'chunked'"],
  ['a parameter', 'chunked;q=0.5'],
  ['a comment', 'chunked (hi)'],
  ['a vertical tab before', '\x0bchunked'],
  ['a vertical tab behind', 'chunked\x0b'],
  ['a form feed before', '\x0cchunked'],
  ['a NUL behind', 'chunked\0'],
  ['a no-break space before', '\xa0chunked'],
  ['a byte of 0xff behind', 'chunked\xff'],
  ['a bare CR behind', 'chunked\r'],
  ['a colon in front', ': chunked'],
  ['nothing', ''],
];

const cases: RequestCase[] = NOT_CHUNKED.map(([name, value]) => ({
  name: `refuses ${name}`,
  send: `${head('POST', `Transfer-Encoding: ${value}`)}${CHUNKED}${SMUGGLED}`,
  expected: refused(400, 501),
}));

cases.push(
  {
    name: 'forwards chunked',
    send: `${head('POST', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards chunked in other case',
    send: `${head('POST', 'TRANSFER-ENCODING: CHUNKED')}${CHUNKED}`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'forwards chunked with blanks around it',
    send: `${head('POST', 'Transfer-Encoding:\t chunked \t')}${CHUNKED}`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'gives chunked with empty list elements one meaning or none',
    send: `${head('POST', 'Transfer-Encoding: ,chunked,')}${CHUNKED}`,
    expected: either([400, 501], body('hello')),
  },
  {
    name: 'refuses two lines of chunked',
    send: `${head('POST', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses chunked and identity on two lines',
    send: `${head('POST', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}${CHUNKED}`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses an empty line beside chunked',
    send: `${head('POST', 'Transfer-Encoding:', 'Transfer-Encoding: chunked')}${CHUNKED}`,
    expected: refused(400, 501),
  },
  {
    name: 'refuses a blank before the colon',
    send: `${head('POST', 'Transfer-Encoding : chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a tab before the colon',
    send: `${head('POST', 'Transfer-Encoding\t: chunked')}${CHUNKED}`,
    expected: refused(400),
  },
  {
    name: 'refuses a blank before the name on the first line',
    send: `POST /attack HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a.test\r\n\r\n${CHUNKED}`,
    expected: refused(400),
  },
);

describeRequests('Transfer-Encoding', cases);
