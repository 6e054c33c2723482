import { describe, expect, test } from 'bun:test';
import { array, assert, boolean, constantFrom, integer, nat, property, uint8Array } from 'fast-check';

import { crc32c } from '../../util/crc32c.ts';
import { parseProxyHeader } from './parse-proxy-header.ts';
import { type ProxyHeader, type ProxyVerdict, SIGNATURE_V2 } from './proxy-header.ts';
import { proxyHeaderLocal, proxyHeaderV1, proxyHeaderV2, type ProxyTlvs } from './write-proxy-header.ts';

const NO_TLVS: ProxyTlvs = { alpn: '', authority: '', uniqueId: undefined, tls: undefined, checksum: false };

function headerOf(bytes: Buffer): ProxyHeader {
  const verdict = parseProxyHeader(bytes);
  if (verdict.kind !== 'header') throw new Error(JSON.stringify(verdict));
  return verdict.header;
}

/** The first verdict that is one, and after how many bytes, when they arrive one by one. */
function byteByByte(bytes: Buffer): { verdict: ProxyVerdict; seen: number } {
  for (let seen = 1; seen <= bytes.length; seen++) {
    const verdict = parseProxyHeader(Buffer.from(bytes.subarray(0, seen)));
    if (verdict.kind !== 'more') return { verdict, seen };
  }
  return { verdict: { kind: 'more', certain: false }, seen: bytes.length };
}

/** A header of version 2 around any block. */
function v2(command: number, family: number, block: Buffer, length = block.length): Buffer {
  return Buffer.concat([SIGNATURE_V2, Buffer.from([command, family, length >> 8, length & 255]), block]);
}

function tlv(type: number, value: Buffer | string, length?: number): Buffer {
  const bytes = Buffer.from(value as string, 'latin1');
  const claimed = length ?? bytes.length;
  return Buffer.concat([Buffer.from([type, claimed >> 8, claimed & 255]), bytes]);
}

const IPV4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0x01, 0xbb]);
const IPV6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  Buffer.from([0x9c, 0x40, 0x01, 0xbb]),
]);
const inet = (...tlvs: readonly Buffer[]): Buffer => v2(0x21, 0x11, Buffer.concat([IPV4, ...tlvs]));

const V4_ENDS = {
  source: { ip: '192.0.2.1', port: 40_000 },
  destination: { ip: '198.51.100.2', port: 443 },
};
const V6_ENDS = {
  source: { ip: '2001:db8::1', port: 40_000 },
  destination: { ip: '2001:db8::2', port: 443 },
};

/** A header with its checksum put in. */
function withChecksum(header: Buffer): Buffer {
  const whole = Buffer.from(header);
  whole.writeUInt32BE(crc32c(header, 0, header.length), header.length - 4);
  return whole;
}

const GOOD: readonly (readonly [what: string, bytes: Buffer, said: Partial<ProxyHeader>])[] = [
  [
    'v1 TCP4',
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n'),
    { version: 1, addresses: V4_ENDS },
  ],
  [
    'v1 TCP6',
    Buffer.from('PROXY TCP6 2001:DB8::1 2001:db8:0::2 40000 443\r\n'),
    { version: 1, addresses: V6_ENDS },
  ],
  [
    'v1 IPv4 within TCP6',
    Buffer.from('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 40000 443\r\n'),
    { addresses: V4_ENDS },
  ],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), { version: 1, addresses: undefined }],
  ['v1 UNKNOWN and more', Buffer.from('PROXY UNKNOWN ::1 ::1 1 2 \t anything\r\n'), { addresses: undefined }],
  [
    'v1 as long as it gets',
    Buffer.from(`PROXY UNKNOWN ${'f'.repeat(107 - 16)}\r\n`),
    { addresses: undefined },
  ],
  [
    'v1 port 0 and the last',
    Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 0 65535\r\n'),
    { addresses: { source: { ip: '1.1.1.1', port: 0 }, destination: { ip: '2.2.2.2', port: 65_535 } } },
  ],
  ['v2 TCP over IPv4', inet(), { version: 2, addresses: V4_ENDS }],
  ['v2 TCP over IPv6', v2(0x21, 0x21, IPV6), { version: 2, addresses: V6_ENDS }],
  ['v2 LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), { version: 2, addresses: undefined }],
  ['v2 LOCAL with anything behind', v2(0x20, 0xff, Buffer.from('whatever')), { addresses: undefined }],
  ['v2 LOCAL that names addresses', v2(0x20, 0x11, IPV4), { addresses: undefined }],
  ['v2 UNSPEC', v2(0x21, 0x00, Buffer.alloc(0)), { addresses: undefined }],
  [
    'v2 UNSPEC with a TLV',
    v2(0x21, 0x00, tlv(2, 'a.example')),
    { addresses: undefined, authority: 'a.example' },
  ],
  ['v2 UNIX', v2(0x21, 0x31, Buffer.alloc(216, 65)), { addresses: undefined }],
  ['v2 UDP, which we did not come by', v2(0x21, 0x12, IPV4), { addresses: undefined }],
  ['v2 ALPN', inet(tlv(1, 'h2')), { alpn: 'h2' }],
  ['v2 AUTHORITY', inet(tlv(2, 'www.example.com')), { authority: 'www.example.com' }],
  ['v2 unique id', inet(tlv(5, Buffer.from([1, 2, 3]))), { uniqueId: Buffer.from([1, 2, 3]) }],
  ['v2 unique id of 128 bytes', inet(tlv(5, Buffer.alloc(128, 7))), { uniqueId: Buffer.alloc(128, 7) }],
  [
    'v2 padding, twice, and kinds that nobody knows',
    inet(tlv(4, 'xx'), tlv(4, ''), tlv(0xe0, 'a'), tlv(0xe0, 'b')),
    {},
  ],
  ['v2 network namespace', inet(tlv(0x30, 'blue')), {}],
  ['v2 checksum', withChecksum(inet(tlv(3, Buffer.alloc(4)))), { addresses: V4_ENDS }],
  [
    'v2 TLS',
    inet(
      tlv(
        0x20,
        Buffer.concat([
          Buffer.from([7, 0, 0, 0, 0]),
          tlv(0x21, 'TLSv1.3'),
          tlv(0x22, 'me'),
          tlv(0x23, 'AES'),
          tlv(0x29, '?'),
        ]),
      ),
    ),
    { tls: { secure: true, version: 'TLSv1.3', cipher: 'AES', verified: true, commonName: 'me' } },
  ],
  [
    'v2 TLS with a certificate that did not verify',
    inet(tlv(0x20, Buffer.from([3, 0, 0, 0, 19]))),
    { tls: { secure: true, version: '', cipher: '', verified: false, commonName: '' } },
  ],
  [
    'v2 TLS that was none',
    inet(tlv(0x20, Buffer.from([0, 0, 0, 0, 0]))),
    { tls: { secure: false, version: '', cipher: '', verified: false, commonName: '' } },
  ],
  ['v2 as large as it gets', inet(tlv(0xe0, Buffer.alloc(4096 - 16 - 12 - 3))), { addresses: V4_ENDS }],
];

describe('headers', () => {
  for (const [what, bytes, said] of GOOD) {
    test(what, () => {
      expect(headerOf(bytes)).toMatchObject(said);
      const verdict = parseProxyHeader(bytes);
      expect(verdict).toMatchObject({ end: bytes.length });
      // Cut anywhere it says the same, not before its last byte; what follows is none of its business.
      expect(byteByByte(bytes)).toEqual({ verdict, seen: bytes.length });
      expect(parseProxyHeader(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')]))).toEqual(verdict);
    });
  }

  test('a header is certain from the end of its signature on', () => {
    expect(parseProxyHeader(Buffer.from('PROXY'))).toEqual({ kind: 'more', certain: false });
    expect(parseProxyHeader(Buffer.from('PROXY '))).toEqual({ kind: 'more', certain: true });
    expect(parseProxyHeader(SIGNATURE_V2.subarray(0, 11))).toEqual({ kind: 'more', certain: false });
    expect(parseProxyHeader(SIGNATURE_V2)).toEqual({ kind: 'more', certain: true });
  });
});

/** `none` after so many bytes. */
const OTHERS: readonly (readonly [what: string, bytes: Buffer, after: number])[] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 1],
  ['a method that begins alike', Buffer.from('PROPFIND / HTTP/1.1\r\n'), 4],
  ['POST', Buffer.from('POST / HTTP/1.1\r\n'), 2],
  ['HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n'), 3],
  ['a method of the same name but no blank', Buffer.from('PROXY\t/ HTTP/1.1'), 6],
  ['small letters', Buffer.from('proxy TCP4 '), 1],
  ['TLS', Buffer.from([22, 3, 1]), 1],
  ['an empty line before a request', Buffer.from('\r\nGET / HTTP/1.1'), 3],
  ['two empty lines', Buffer.from('\r\n\r\nGET'), 5],
  ['a signature with one byte wrong', Buffer.from('\r\n\r\n\0\r\nQUIT\r'), 12],
  ['a blank in front', Buffer.from(' PROXY TCP4 '), 1],
  ['NUL', Buffer.alloc(20), 1],
];

describe('something else', () => {
  for (const [what, bytes, after] of OTHERS) {
    test(what, () => {
      expect(parseProxyHeader(bytes)).toEqual({ kind: 'none' });
      expect(byteByByte(bytes)).toEqual({ verdict: { kind: 'none' }, seen: after });
    });
  }
});

const line = (text: string): Buffer => Buffer.from(`PROXY ${text}\r\n`, 'latin1');
const wrongChecksum = withChecksum(inet(tlv(3, Buffer.alloc(4))));
wrongChecksum[20]! ^= 1;

const HOSTILE: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['v1 without a protocol', line('')],
  ['v1 of an unknown protocol', line('TCP5 1.1.1.1 2.2.2.2 1 2')],
  ['v1 UDP4', line('UDP4 1.1.1.1 2.2.2.2 1 2')],
  ['v1 protocol in small letters', line('tcp4 1.1.1.1 2.2.2.2 1 2')],
  ['v1 two blanks behind PROXY', line(' TCP4 1.1.1.1 2.2.2.2 1 2')],
  ['v1 two blanks', line('TCP4  1.1.1.1 2.2.2.2 1 2')],
  ['v1 a tab', line('TCP4\t1.1.1.1 2.2.2.2 1 2')],
  ['v1 a blank at the end', line('TCP4 1.1.1.1 2.2.2.2 1 2 ')],
  ['v1 too few parts', line('TCP4 1.1.1.1 2.2.2.2 1')],
  ['v1 too many parts', line('TCP4 1.1.1.1 2.2.2.2 1 2 3')],
  ['v1 IPv6 in TCP4', line('TCP4 ::1 ::1 1 2')],
  ['v1 IPv4 in TCP6', line('TCP6 1.1.1.1 2.2.2.2 1 2')],
  ['v1 one of each', line('TCP4 1.1.1.1 ::1 1 2')],
  ['v1 an octet of 256', line('TCP4 1.1.1.256 2.2.2.2 1 2')],
  ['v1 three octets', line('TCP4 1.1.1 2.2.2.2 1 2')],
  ['v1 leading zeros in an octet', line('TCP4 01.1.1.1 2.2.2.2 1 2')],
  ['v1 an address in hex', line('TCP4 0x7f000001 2.2.2.2 1 2')],
  ['v1 a name', line('TCP4 localhost 2.2.2.2 1 2')],
  ['v1 brackets', line('TCP6 [::1] ::1 1 2')],
  ['v1 a zone', line('TCP6 fe80::1%eth0 ::1 1 2')],
  ['v1 two gaps', line('TCP6 1::2::3 ::1 1 2')],
  ['v1 port 65536', line('TCP4 1.1.1.1 2.2.2.2 65536 2')],
  ['v1 port of six figures', line('TCP4 1.1.1.1 2.2.2.2 100000 2')],
  ['v1 a port with a leading zero', line('TCP4 1.1.1.1 2.2.2.2 01 2')],
  ['v1 a port with a sign', line('TCP4 1.1.1.1 2.2.2.2 +1 2')],
  ['v1 a negative port', line('TCP4 1.1.1.1 2.2.2.2 -1 2')],
  ['v1 a port in hex', line('TCP4 1.1.1.1 2.2.2.2 0x1 2')],
  ['v1 an empty port', line('TCP4 1.1.1.1 2.2.2.2  2')],
  ['v1 a fraction', line('TCP4 1.1.1.1 2.2.2.2 1.5 2')],
  ['v1 LF alone', Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n')],
  ['v1 CR alone', Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rG')],
  ['v1 CR within the line', Buffer.from('PROXY TCP4 1.1.1.1\r 2.2.2.2 1 2\r\n')],
  ['v1 NUL within the line', line('TCP4 1.1.1.1\0 2.2.2.2 1 2')],
  ['v1 UNKNOWN with something at it', line('UNKNOWNX')],
  ['v1 108 bytes', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(108 - 16)}\r\n`)],
  ['v1 the end of the line cut at 107', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(107 - 15)}\r\n`)],
  ['v1 no end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)],
  ['v1 not ASCII', line('TCP4 1.1.1.1 2.2.2.2 1 \xb2')],
  ['v2 version 1', v2(0x11, 0x11, IPV4)],
  ['v2 version 0', v2(0x01, 0x11, IPV4)],
  ['v2 version 3', v2(0x31, 0x11, IPV4)],
  ['v2 command 2', v2(0x22, 0x11, IPV4)],
  ['v2 command 15', v2(0x2f, 0x11, IPV4)],
  ['v2 family 4', v2(0x21, 0x41, IPV4)],
  ['v2 family 15', v2(0x21, 0xf1, IPV4)],
  ['v2 protocol 3', v2(0x21, 0x13, IPV4)],
  ['v2 protocol without a family', v2(0x21, 0x01, IPV4)],
  ['v2 family without a protocol', v2(0x21, 0x10, IPV4)],
  ['v2 no room for the addresses of IPv4', v2(0x21, 0x11, IPV4.subarray(0, 11))],
  ['v2 nothing where addresses should be', v2(0x21, 0x11, Buffer.alloc(0))],
  ['v2 the addresses of IPv4 for IPv6', v2(0x21, 0x21, IPV4)],
  ['v2 no room for the paths of UNIX', v2(0x21, 0x31, Buffer.alloc(215))],
  ['v2 half the head of a TLV', inet(Buffer.from([1, 0]))],
  ['v2 one byte behind the addresses', inet(Buffer.from([4]))],
  ['v2 a TLV that claims more', inet(tlv(1, 'h2', 3))],
  ['v2 a TLV that claims 65535', inet(tlv(0xe0, '', 65_535))],
  ['v2 ALPN twice', inet(tlv(1, 'h2'), tlv(1, 'http/1.1'))],
  ['v2 AUTHORITY twice', inet(tlv(2, 'a'), tlv(2, 'b'))],
  ['v2 unique id twice', inet(tlv(5, 'a'), tlv(5, 'b'))],
  ['v2 TLS twice', inet(tlv(0x20, Buffer.alloc(5)), tlv(0x20, Buffer.alloc(5)))],
  ['v2 checksum twice', inet(tlv(3, Buffer.alloc(4)), tlv(3, Buffer.alloc(4)))],
  ['v2 a checksum that is wrong', wrongChecksum],
  ['v2 a checksum of zeros', inet(tlv(3, Buffer.alloc(4)))],
  ['v2 a checksum of 3 bytes', inet(tlv(3, Buffer.alloc(3)))],
  ['v2 a checksum of 5 bytes', inet(tlv(3, Buffer.alloc(5)))],
  ['v2 an empty checksum', inet(tlv(3, ''))],
  ['v2 unique id of 129 bytes', inet(tlv(5, Buffer.alloc(129)))],
  ['v2 TLS of 4 bytes', inet(tlv(0x20, Buffer.alloc(4)))],
  ['v2 empty TLS', inet(tlv(0x20, ''))],
  ['v2 TLS with half a TLV', inet(tlv(0x20, Buffer.from([1, 0, 0, 0, 0, 0x21, 0])))],
  ['v2 TLS with a TLV that claims more', inet(tlv(0x20, Buffer.from([1, 0, 0, 0, 0, 0x21, 0, 9, 65])))],
  [
    'v2 TLS with its version twice',
    inet(tlv(0x20, Buffer.concat([Buffer.alloc(5), tlv(0x21, 'a'), tlv(0x21, 'b')]))),
  ],
  ['v2 one byte more than is allowed', inet(tlv(0xe0, Buffer.alloc(4096 - 16 - 12 - 2)))],
];

describe('refused', () => {
  for (const [what, bytes] of HOSTILE) {
    test(what, () => {
      expect(parseProxyHeader(bytes)).toMatchObject({ kind: 'refused' });
      expect(byteByByte(bytes).verdict).toMatchObject({ kind: 'refused' });
    });
  }

  test('what claims too much, by its claim', () => {
    expect(parseProxyHeader(v2(0x21, 0x11, Buffer.alloc(0), 65_535))).toMatchObject({ kind: 'refused' });
    expect(parseProxyHeader(v2(0x20, 0x00, Buffer.alloc(0), 65_535))).toMatchObject({ kind: 'refused' });
  });

  test('the version and the command, before anything follows', () => {
    expect(parseProxyHeader(Buffer.concat([SIGNATURE_V2, Buffer.from([0x33])]))).toMatchObject({
      kind: 'refused',
    });
  });

  test('there are at least 60 of them', () => {
    expect(HOSTILE.length).toBeGreaterThanOrEqual(60);
  });
});

describe('any bytes', () => {
  const starts = constantFrom(
    Buffer.alloc(0),
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 1.2.3.4 '),
    SIGNATURE_V2,
    inet().subarray(0, 16),
    inet(tlv(1, 'h2'), tlv(0x20, Buffer.alloc(20))),
  );

  test('give one verdict, by whatever pieces they come', () => {
    assert(
      property(starts, uint8Array({ maxLength: 150 }), (start, rest) => {
        const bytes = Buffer.concat([start, rest]);
        const whole = parseProxyHeader(bytes);
        const { verdict, seen } = byteByByte(bytes);
        // Refusals may come earlier when less is known; a header never.
        expect(verdict.kind).toBe(whole.kind);
        if (whole.kind === 'header') {
          expect(verdict).toEqual(whole);
          expect(seen).toBe(whole.end);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a good header with some bytes changed is a header, a refusal or something else, never a fault', () => {
    const one = constantFrom(...GOOD.map(([, bytes]) => bytes));
    assert(
      property(one, array(nat(5000), { minLength: 1, maxLength: 4 }), nat(255), (good, places, value) => {
        const bytes = Buffer.from(good);
        for (const place of places) bytes[place % bytes.length] = value;
        expect(['header', 'refused', 'none', 'more']).toContain(parseProxyHeader(bytes).kind);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what we write is what we read', () => {
  const mixed = { source: V4_ENDS.source, destination: V6_ENDS.destination };

  test('version 1', () => {
    for (const addresses of [V4_ENDS, V6_ENDS, mixed])
      expect(headerOf(proxyHeaderV1(addresses)).addresses).toEqual(addresses);
    expect(proxyHeaderV1(V4_ENDS).toString()).toBe('PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n');
    expect(proxyHeaderV1(mixed).toString()).toBe('PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 40000 443\r\n');
    expect(headerOf(proxyHeaderV1(undefined)).addresses).toBeUndefined();
  });

  test('a health check speaks for itself', () => {
    expect(proxyHeaderLocal().toString('hex')).toBe('0d0a0d0a000d0a515549540a20000000');
    expect(headerOf(proxyHeaderLocal()).addresses).toBeUndefined();
  });

  test('version 2 with everything', () => {
    const ip = (bytes: number): string => `${bytes & 255}.${(bytes >> 8) & 255}.0.1`;
    assert(
      property(
        integer({ min: 0, max: 65_535 }),
        boolean(),
        boolean(),
        uint8Array({ maxLength: 128 }),
        (port, six, checksum, id) => {
          const source = six ? { ip: `2001:db8::${port.toString(16)}`, port } : { ip: ip(port), port };
          const addresses = { source, destination: six ? V6_ENDS.destination : V4_ENDS.destination };
          const tls = { version: 'TLSv1.2', cipher: 'ECDHE', verified: six };
          const uniqueId = Buffer.from(id);
          const bytes = proxyHeaderV2(addresses, {
            alpn: 'h2',
            authority: 'a.example',
            uniqueId,
            tls,
            checksum,
          });
          expect(headerOf(bytes)).toEqual({
            version: 2,
            addresses: six && port === 0 ? { ...addresses, source: { ip: '2001:db8::', port } } : addresses,
            alpn: 'h2',
            authority: 'a.example',
            uniqueId,
            tls: { ...tls, secure: true, commonName: '' },
          });
        },
      ),
      { numRuns: 100 },
    );
    expect(headerOf(proxyHeaderV2(mixed, NO_TLVS))).toMatchObject({
      addresses: mixed,
      alpn: '',
      tls: undefined,
    });
  });
});
