import { Flag, FrameType } from '../../src/http/h2-protocol.ts';
import { data, type FieldList, headers, request } from '../support/h2-client.ts';
import { frame } from '../support/h2-frames.ts';
import { answered, describeH2, forwarded, type H2Case, reset } from './h2-suite.ts';

const PSEUDO: FieldList = request();
const MALFORMED = reset(1, 'ProtocolError');

function without(name: string): FieldList {
  return PSEUDO.filter(([field]) => field !== name);
}

function instead(name: string, value: string): FieldList {
  return PSEUDO.map(([field, old]) => [field, field === name ? value : old] as const);
}

function get(name: string, fields: FieldList, expected = MALFORMED): H2Case {
  return { name, send: [headers(1, fields)], expected };
}

function withField(name: string, field: string, value: string, expected = MALFORMED): H2Case {
  return get(name, [...PSEUDO, [field, value]], expected);
}

/** RFC 9113 section 8: messages that would be another request, or two, in HTTP/1.1. */
const cases: H2Case[] = [
  get('no :method', without(':method')),
  get('no :scheme', without(':scheme')),
  get('no :path', without(':path')),
  get('an empty :path', instead(':path', '')),
  get('neither :authority nor Host', without(':authority'), answered(1, 400)),
  get('Host instead of :authority', [...without(':authority'), ['host', 'a.test']], forwarded(1)),
  get('Host as :authority', [...PSEUDO, ['host', 'A.test']], forwarded(1)),
  get('Host other than :authority', [...PSEUDO, ['host', 'b.test']]),
  get('two Hosts', [...PSEUDO, ['host', 'a.test'], ['host', 'a.test']]),
  get('an :authority with a user', instead(':authority', 'user@a.test')),
  get('an :authority with a path', instead(':authority', 'a.test/x')),
  get('an :authority with a blank', instead(':authority', 'a.test b.test')),
  get('an :authority with a comma', instead(':authority', 'a.test,b.test')),
  get('an :authority with CR LF', instead(':authority', 'a.test\r\nX-Evil: 1')),
  get('an :authority with a bad port', instead(':authority', 'a.test:99999')),
  get('an empty :authority', instead(':authority', ''), answered(1, 400)),
  get('two :methods', [[':method', 'GET'], ...PSEUDO]),
  get('two :paths', [...PSEUDO, [':path', '/x']]),
  get('two :schemes', [...PSEUDO, [':scheme', 'http']]),
  get('two :authorities', [...PSEUDO, [':authority', 'a.test']]),
  get('a pseudo-field behind others', [...without(':path'), ['x-a', 'b'], [':path', '/']]),
  get('a pseudo-field that nobody knows', [...PSEUDO, [':evil', '1']]),
  get('the pseudo-field of responses', [...PSEUDO, [':status', '200']]),
  get('a pseudo-field in upper case', [...without(':path'), [':Path', '/']]),
  get('a :method with a blank', instead(':method', 'GET / HTTP/1.1')),
  get('a :method with CR LF', instead(':method', 'GET\r\nX-Evil: 1')),
  get('a :method with a colon', instead(':method', 'GE:T')),
  get('an empty :method', instead(':method', '')),
  get('a very long :method', instead(':method', 'G'.repeat(100))),
  get('a :method in lower case', instead(':method', 'get'), forwarded(1, 'get / 0')),
  get('TRACE', instead(':method', 'TRACE'), answered(1, 405)),
  get(
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'a.test:443'],
    ],
    answered(1, 405),
  ),
  get('CONNECT with a path', instead(':method', 'CONNECT')),
  get('CONNECT without :authority', [[':method', 'CONNECT']]),
  get(':protocol without CONNECT', [...PSEUDO, [':protocol', 'websocket']]),
  get(
    'extended CONNECT of another protocol',
    [...instead(':method', 'CONNECT'), [':protocol', 'h2c']],
    answered(1, 501),
  ),
  get('extended CONNECT without a path', [
    ...instead(':method', 'CONNECT').filter(([name]) => name !== ':path'),
    [':protocol', 'websocket'],
  ]),
  get('a :path with a blank', instead(':path', '/ HTTP/1.1')),
  get('a :path with CR LF', instead(':path', '/\r\nX-Evil: 1')),
  get('a :path with NUL', instead(':path', '/\0')),
  get('a :path with DEL', instead(':path', '/\x7f')),
  get('a :path with bytes beyond ASCII', instead(':path', '/\xe4')),
  get('a :path with a fragment', instead(':path', '/#x')),
  get('a :path that does not begin with a slash', instead(':path', 'x')),
  get('a :path that is a URL', instead(':path', 'http://b.test/')),
  get('a :path of * with GET', instead(':path', '*')),
  {
    name: 'a :path of * with OPTIONS',
    send: [headers(1, request('OPTIONS', '*'))],
    expected: forwarded(1, 'OPTIONS * 0'),
  },
  get('a :path that climbs out', instead(':path', '/../../etc/passwd'), forwarded(1, 'GET /etc/passwd 0')),
  get('a :path with an encoded NUL', instead(':path', '/%00'), answered(1, 400)),
  get('a :path that is too long', instead(':path', `/${'a'.repeat(9000)}`), answered(1, 414)),
  get('a :scheme of something else', instead(':scheme', 'ftp')),
  get('a :scheme with a URL', instead(':scheme', 'http://b.test/?')),
  get('a :scheme of https', instead(':scheme', 'https'), forwarded(1)),
  withField('Transfer-Encoding', 'transfer-encoding', 'chunked'),
  withField('Transfer-Encoding of identity', 'transfer-encoding', 'identity'),
  withField('Connection', 'connection', 'close'),
  withField('Connection that names a field', 'connection', 'x-forwarded-for'),
  withField('Keep-Alive', 'keep-alive', 'timeout=5'),
  withField('Proxy-Connection', 'proxy-connection', 'keep-alive'),
  withField('Upgrade', 'upgrade', 'websocket'),
  withField('TE of something else', 'te', 'gzip'),
  withField('TE of trailers and something else', 'te', 'trailers, gzip'),
  withField('TE of trailers', 'te', 'trailers', forwarded(1)),
  withField('HTTP2-Settings', 'http2-settings', 'AAMAAABkAAQAAP__', forwarded(1)),
  withField('a name in upper case', 'X-Upper', '1'),
  withField('an empty name', '', '1'),
  withField('a name with a colon', 'x:y', '1'),
  withField('a name that hides another', 'x: 1\r\ntransfer-encoding', 'chunked'),
  withField('a name with a blank', 'x y', '1'),
  withField('a name with a blank at its end', 'content-length ', '1'),
  withField('a name with NUL', 'x\0', '1'),
  withField('a name beyond ASCII', 'x\xe4', '1'),
  withField('a value with CR LF', 'x-a', 'b\r\nX-Evil: 1'),
  withField('a value with LF', 'x-a', 'b\nX-Evil: 1'),
  withField('a value with CR', 'x-a', 'b\rc'),
  withField('a value with NUL', 'x-a', 'b\0c'),
  withField('a value with another control character', 'x-a', 'b\x01c'),
  withField('a value that begins with a blank', 'x-a', ' b'),
  withField('a value that ends with a tab', 'x-a', 'b\t'),
  withField('an empty value', 'x-a', '', forwarded(1)),
  withField('a value beyond ASCII', 'x-a', 'b\xe4c', forwarded(1)),
  withField('Expect of something else', 'expect', 'tea', answered(1, 417)),
  withField('Content-Length with a sign', 'content-length', '+5'),
  withField('Content-Length in hexadecimal', 'content-length', '0x5'),
  withField('Content-Length of a list', 'content-length', '0, 0'),
  withField('Content-Length beyond 2^53', 'content-length', '9007199254740993'),
  withField('an empty Content-Length', 'content-length', ''),
  get('two lengths', [...PSEUDO, ['content-length', '0'], ['content-length', '0']]),
  get('two lengths that differ', [...PSEUDO, ['content-length', '0'], ['content-length', '3']]),
  {
    name: 'a length of 0 and a body that is a request',
    send: [
      headers(1, request('POST', '/', [['content-length', '0']]), Flag.None),
      data(1, 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n', true),
    ],
    expected: MALFORMED,
  },
  {
    name: 'a body that is a request, in chunks',
    send: [
      headers(1, request('POST'), Flag.None),
      data(1, '0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n', true),
    ],
    expected: forwarded(1, 'POST / 36'),
  },
  get(
    '100 fields',
    [...PSEUDO, ...Array.from({ length: 100 }, (_, index) => [`x-${index}`, 'v'] as const)],
    forwarded(1),
  ),
  get(
    '101 fields',
    [...PSEUDO, ...Array.from({ length: 101 }, (_, index) => [`x-${index}`, 'v'] as const)],
    answered(1, 431),
  ),
  {
    name: 'a head larger than allowed',
    send: [
      ...split(1, [
        ...PSEUDO,
        ...Array.from({ length: 9 }, (_, index) => [`x-${index}`, 'v'.repeat(4000)] as const),
      ]),
    ],
    expected: answered(1, 431),
  },
  get('cookies in pieces', [...PSEUDO, ['cookie', 'a=1'], ['cookie', 'b=2']], forwarded(1)),
  get('a cookie that hides a field', [...PSEUDO, ['cookie', 'a=1\r\nx: y']]),
];

/** A large block, in CONTINUATION frames. */
function split(stream: number, fields: FieldList): Buffer[] {
  const block = headers(stream, fields).subarray(9);
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length; at += 16_384) {
    const flags = (at + 16_384 >= block.length ? Flag.EndHeaders : 0) | (at === 0 ? Flag.EndStream : 0);
    frames.push(
      frame(
        at === 0 ? FrameType.Headers : FrameType.Continuation,
        flags,
        stream,
        block.subarray(at, at + 16_384),
      ),
    );
  }
  return frames;
}

describeH2('messages over HTTP/2', cases);
