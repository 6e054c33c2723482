import { describe, expect, test } from 'bun:test';
import { array, assert, constantFrom, integer, nat, property, uint8Array } from 'fast-check';

import { CAPTURED_HELLOS } from '../../../test/support/captured-hellos.ts';
import {
  clientHello,
  handshakeMessage,
  helloBody,
  helloInRecords,
  type HelloParts,
  protocolNames,
  serverNames,
  tlsRecord,
  u16,
  vector16,
  vector8,
} from '../../../test/support/client-hello.ts';
import type { ClientHello } from './client-hello.ts';
import { ClientHelloScanner, type HelloVerdict } from './client-hello-scanner.ts';

const LIMIT = 16 * 1024;

function scan(bytes: Buffer, maxBytes = LIMIT): HelloVerdict {
  return new ClientHelloScanner(maxBytes).scan(bytes);
}

/** As it arrives in these pieces: the first verdict that is one, and after how many bytes. */
function scanInPieces(bytes: Buffer, cuts: readonly number[]): { verdict: HelloVerdict; seen: number } {
  const scanner = new ClientHelloScanner(LIMIT);
  for (const cut of [...cuts, bytes.length]) {
    // A copy of its own, so that nothing can be remembered by reference.
    const verdict = scanner.scan(Buffer.from(bytes.subarray(0, cut)));
    if (verdict.kind !== 'more') return { verdict, seen: cut };
  }
  return { verdict: { kind: 'more' }, seen: bytes.length };
}

function helloOf(bytes: Buffer): ClientHello {
  const verdict = scan(bytes);
  if (verdict.kind !== 'hello') throw new Error(JSON.stringify(verdict));
  return verdict.hello;
}

const REAL = Object.entries(CAPTURED_HELLOS).map(
  ([client, base64]) => [client, Buffer.from(base64, 'base64')] as const,
);

/** TLS 1.3 down to 1.0. */
const FOUR_VERSIONS = [0x304, 0x303, 0x302, 0x301];
const BOTH = ['h2', 'http/1.1'];

/** What each of them asks for, as the tools of their makers show it. */
const SAID: Readonly<Record<string, Partial<ClientHello>>> = {
  openssl: { serverName: 'www.example.com', alpn: BOTH, versions: FOUR_VERSIONS, encrypted: false },
  'openssl-old': { serverName: '', alpn: [], versions: [0x303], encrypted: false },
  curl: { serverName: 'www.example.com', alpn: BOTH, versions: FOUR_VERSIONS, encrypted: false },
  bun: { serverName: 'localhost', alpn: ['http/1.1'], versions: [0x304, 0x303], encrypted: false },
  chromium: { serverName: 'www.example.com', alpn: BOTH, versions: [0x304, 0x303], encrypted: true },
};

function saidBy(client: string): Partial<ClientHello> {
  const key = client.includes('-tls1_2') ? 'openssl-old' : client.split(' ')[0]!;
  return SAID[key]!;
}

describe('real clients', () => {
  for (const [client, bytes] of REAL) {
    test(`${client}: what it says`, () => {
      expect(helloOf(bytes)).toMatchObject(saidBy(client));
    });

    test(`${client}: cut at every byte it says the same, and not before its last`, () => {
      const whole = scan(bytes);
      for (let cut = 0; cut < bytes.length; cut++) {
        expect(scan(bytes.subarray(0, cut)).kind).toBe('more');
        expect(scanInPieces(bytes, [cut])).toEqual({ verdict: whole, seen: bytes.length });
      }
    });

    test(`${client}: byte by byte`, () => {
      const cuts = Array.from({ length: bytes.length }, (_, place) => place);
      expect(scanInPieces(bytes, cuts)).toEqual({ verdict: scan(bytes), seen: bytes.length });
    });
  }
});

describe('what it says', () => {
  test('server name and protocols, with early data behind', () => {
    const hello = clientHello({ serverName: 'Www.Example.COM', alpn: ['h2'], versions: [0x304] });
    const verdict = scan(Buffer.concat([hello, tlsRecord(Buffer.alloc(100), 23)]));
    expect(verdict).toMatchObject({
      kind: 'hello',
      end: hello.length,
      hello: {
        serverName: 'www.example.com',
        alpn: ['h2'],
        versions: [0x304],
        cipherSuites: [0x1301, 0xc02f],
      },
    });
  });

  const names: readonly (readonly [string, string])[] = [
    ['a.example.', 'a.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['_sip._tcp.example', '_sip._tcp.example'],
    ['192.0.2.1', '192.0.2.1'],
    ['localhost', 'localhost'],
  ];
  for (const [sent, read] of names) {
    test(`the name ${sent}`, () => {
      expect(helloOf(clientHello({ serverName: sent })).serverName).toBe(read);
    });
  }

  test('no name, no extensions at all, as before TLS 1.2', () => {
    const hello = helloOf(clientHello({ legacyVersion: 0x0301, extensionBlock: Buffer.alloc(0) }));
    expect(hello).toMatchObject({ serverName: '', alpn: [], versions: [0x301], encrypted: false });
  });

  test('an empty block of extensions', () => {
    expect(helloOf(clientHello()).serverName).toBe('');
  });

  test('GREASE in suites, versions and extensions is left out', () => {
    const hello = helloOf(
      clientHello({
        suites: Buffer.from([0x1a, 0x1a, 0x13, 0x01]),
        versions: [0xfafa, 0x304],
        extensions: [
          [0x2a2a, Buffer.alloc(0)],
          [0x4a4a, Buffer.from([0])],
        ],
      }),
    );
    expect(hello).toMatchObject({ cipherSuites: [0x1301], versions: [0x304] });
  });

  test('signature schemes', () => {
    const schemes = vector16(Buffer.from([4, 3, 8, 4]));
    expect(helloOf(clientHello({ extensions: [[13, schemes]] })).signatureSchemes).toEqual([0x403, 0x804]);
  });

  test('an encrypted ClientHello: the name is that of the outer one', () => {
    const hello = helloOf(
      clientHello({ serverName: 'public.example', extensions: [[0xfe0d, Buffer.alloc(80)]] }),
    );
    expect(hello).toMatchObject({ serverName: 'public.example', encrypted: true });
  });

  test('a decrypted one, from who faces the client', () => {
    const hello = helloOf(
      clientHello({ serverName: 'secret.example', extensions: [[0xfe0d, Buffer.from([1])]] }),
    );
    expect(hello).toMatchObject({ serverName: 'secret.example', encrypted: false });
  });
});

describe('records', () => {
  const parts: HelloParts = { serverName: 'a.example', alpn: ['h2', 'http/1.1'], versions: [0x304, 0x303] };
  const whole = helloOf(clientHello(parts));

  for (const sizes of [
    [1],
    [2],
    [3],
    [4],
    [5],
    [1, 1, 1, 1],
    [4, 1],
    [50, 50],
    Array.from({ length: 500 }, () => 1),
  ]) {
    test(`over ${sizes.length + 1} records, the first of ${sizes[0]}, byte by byte`, () => {
      const bytes = helloInRecords(parts, sizes);
      const cuts = Array.from({ length: bytes.length }, (_, place) => place);
      expect(scanInPieces(bytes, cuts)).toEqual({
        verdict: { kind: 'hello', hello: whole, end: bytes.length },
        seen: bytes.length,
      });
    });
  }

  test('any records in any segments', () => {
    const sizes = array(integer({ min: 1, max: 90 }), { maxLength: 20 });
    const cuts = array(integer({ min: 0, max: 400 }), { maxLength: 12 });
    assert(
      property(sizes, cuts, (sizes, cuts) => {
        const bytes = helloInRecords(parts, sizes);
        const sorted = cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
        expect(scanInPieces(bytes, sorted).verdict).toEqual({
          kind: 'hello',
          hello: whole,
          end: bytes.length,
        });
      }),
    );
  });

  test('as large as allowed, and one byte more', () => {
    const filler = (length: number): Buffer => clientHello({ extensions: [[21, Buffer.alloc(length)]] });
    const empty = filler(0).length;
    expect(scan(filler(LIMIT - empty)).kind).toBe('hello');
    expect(scan(filler(LIMIT - empty + 1))).toMatchObject({ kind: 'refused', refusal: 'too-large' });
  });
});

type Case = readonly [what: string, bytes: Buffer, refusal: string, afterBytes?: number];

const extension = (type: number, body: Buffer): Buffer => clientHello({ extensions: [[type, body]] });
const inBody = (body: Buffer): Buffer => tlsRecord(handshakeMessage(body));
const good = helloBody({ serverName: 'a.example' });

/** `afterBytes`: it is refused when so many bytes are there, whatever may follow. */
const HOSTILE: readonly Case[] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'not-tls', 1],
  ['SSH', Buffer.from('SSH-2.0-x\r\n'), 'not-tls', 1],
  ['a PROXY header', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n'), 'not-tls', 1],
  ['HTTP/2 in the clear', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'not-tls', 1],
  ['PostgreSQL asking for TLS', Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), 'not-tls', 1],
  ['zeroes', Buffer.alloc(64), 'not-tls', 1],
  ['ones', Buffer.alloc(64, 255), 'not-tls', 3],
  ['a record of application data', tlsRecord(Buffer.alloc(9), 23), 'not-tls', 1],
  ['an alert', tlsRecord(Buffer.from([2, 40]), 21), 'not-tls', 1],
  ['another major version', Buffer.from([22, 2, 0, 0, 5]), 'not-tls', 2],
  ['SSL 2.0', Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]), 'sslv2', 4],
  ['SSL 2.0 asking for TLS', Buffer.from([0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10]), 'sslv2', 4],
  ['high bit and nothing of SSL 2.0', Buffer.from([0x80, 0x2e, 9, 9]), 'not-tls', 3],
  ['high bit and no version', Buffer.from([0x80, 0x2e, 1, 9]), 'not-tls', 4],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'malformed', 5],
  ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), 'malformed', 5],
  ['a record of 65535 bytes', Buffer.from([22, 3, 1, 255, 255]), 'malformed', 5],
  ['a ServerHello', tlsRecord(handshakeMessage(good, 2)), 'malformed', 6],
  ['a HelloRequest', tlsRecord(handshakeMessage(Buffer.alloc(0), 0)), 'malformed', 6],
  ['a message of 16 MiB by its claim', tlsRecord(Buffer.from([1, 255, 255, 255, 3, 3])), 'too-large', 9],
  [
    'a message just over the limit by its claim',
    tlsRecord(Buffer.from([1, 0, 0x40, 0, 3, 3])),
    'too-large',
    9,
  ],
  ['a record that passes the limit by its claim', Buffer.from([22, 3, 1, 0x40, 0]), 'too-large', 5],
  [
    'bytes behind it in its record',
    tlsRecord(Buffer.concat([handshakeMessage(good), Buffer.alloc(1)])),
    'malformed',
    9,
  ],
  [
    'two in one record',
    tlsRecord(Buffer.concat([handshakeMessage(good), handshakeMessage(good)])),
    'malformed',
    9,
  ],
  [
    'an alert between its records',
    Buffer.concat([tlsRecord(handshakeMessage(good).subarray(0, 20)), tlsRecord(Buffer.from([1, 0]), 21)]),
    'malformed',
    26,
  ],
  [
    'another version between its records',
    Buffer.concat([tlsRecord(handshakeMessage(good).subarray(0, 20)), Buffer.from([22, 9])]),
    'malformed',
    27,
  ],
  ['empty', inBody(Buffer.alloc(0)), 'malformed'],
  ['cut within the random bytes', inBody(good.subarray(0, 20)), 'malformed'],
  ['cut within the session id', inBody(good.subarray(0, 40)), 'malformed'],
  ['cut within the suites', inBody(good.subarray(0, 70)), 'malformed'],
  ['without compression methods', inBody(good.subarray(0, 2 + 32 + 33 + 6)), 'malformed'],
  ['cut within its extensions', inBody(good.subarray(0, -1)), 'malformed'],
  ['a byte behind its extensions', clientHello({ tail: Buffer.from([0]) }), 'malformed'],
  ['one byte where its extensions begin', clientHello({ extensionBlock: Buffer.from([0]) }), 'malformed'],
  ['extensions that claim more', clientHello({ extensionBlock: u16(4) }), 'malformed'],
  [
    'an extension that claims more',
    clientHello({ extensionBlock: vector16(Buffer.from([0, 0, 0, 9, 1])) }),
    'malformed',
  ],
  [
    'half the head of an extension',
    clientHello({ extensionBlock: vector16(Buffer.from([0, 0, 0])) }),
    'malformed',
  ],
  ['version 2', clientHello({ legacyVersion: 0x0200 }), 'malformed'],
  ['version 0xffff', clientHello({ legacyVersion: 0xffff }), 'malformed'],
  ['a session id of 33 bytes', clientHello({ sessionId: Buffer.alloc(33) }), 'malformed'],
  ['no suites', clientHello({ suites: Buffer.alloc(0) }), 'malformed'],
  ['half a suite', clientHello({ suites: Buffer.alloc(3) }), 'malformed'],
  ['no compression method', clientHello({ compressions: Buffer.alloc(0) }), 'malformed'],
  ['an empty server name extension', extension(0, Buffer.alloc(0)), 'malformed'],
  ['an empty list of names', extension(0, vector16(Buffer.alloc(0))), 'malformed'],
  ['an empty name', extension(0, serverNames('')), 'malformed'],
  ['a name that is a dot', extension(0, serverNames('.')), 'malformed'],
  ['two names', extension(0, serverNames('a.example', 'b.example')), 'malformed'],
  ['a name of an unknown type', extension(0, vector16(Buffer.from([1, 0, 1, 97]))), 'malformed'],
  [
    'a name list shorter than its extension',
    extension(0, Buffer.concat([serverNames('a'), u16(0)])),
    'malformed',
  ],
  ['a name list longer than its extension', extension(0, Buffer.from([0, 9, 0, 0, 1, 97])), 'malformed'],
  ['a name longer than its list', extension(0, vector16(Buffer.from([0, 0, 9, 97]))), 'malformed'],
  ['a name with NUL', extension(0, serverNames('a.example\0.evil')), 'malformed'],
  ['a name with a line break', extension(0, serverNames('a\r\nb')), 'malformed'],
  ['a name with a blank', extension(0, serverNames('a b')), 'malformed'],
  ['a name with a slash', extension(0, serverNames('../etc')), 'malformed'],
  ['a name with an asterisk', extension(0, serverNames('*.example')), 'malformed'],
  ['a name with a port', extension(0, serverNames('a.example:443')), 'malformed'],
  ['a name that is not ASCII', extension(0, serverNames('b\xfccher.example')), 'malformed'],
  ['a name with two dots in a row', extension(0, serverNames('a..example')), 'malformed'],
  ['a name with a dot in front', extension(0, serverNames('.example')), 'malformed'],
  ['a name with a hyphen in front', extension(0, serverNames('-a.example')), 'malformed'],
  ['a name with a label of 64', extension(0, serverNames(`${'a'.repeat(64)}.example`)), 'malformed'],
  ['a name of 300 bytes', extension(0, serverNames('abcdefghi.'.repeat(30))), 'malformed'],
  ['an empty ALPN extension', extension(16, Buffer.alloc(0)), 'malformed'],
  ['an empty list of protocols', extension(16, vector16(Buffer.alloc(0))), 'malformed'],
  ['an empty protocol', extension(16, protocolNames('h2', '')), 'malformed'],
  ['a protocol longer than its list', extension(16, vector16(Buffer.from([9, 104, 50]))), 'malformed'],
  ['a byte behind the protocols', extension(16, Buffer.concat([protocolNames('h2'), u16(0)])), 'malformed'],
  ['an empty list of versions', extension(43, vector8(Buffer.alloc(0))), 'malformed'],
  ['half a version', extension(43, vector8(Buffer.from([3]))), 'malformed'],
  ['versions longer than their extension', extension(43, Buffer.from([4, 3, 4])), 'malformed'],
  ['a byte behind the versions', extension(43, Buffer.from([2, 3, 4, 0])), 'malformed'],
  ['half a signature scheme', extension(13, vector16(Buffer.from([4]))), 'malformed'],
  ['an empty ECH extension', extension(0xfe0d, Buffer.alloc(0)), 'malformed'],
  ['an unknown kind of ECH', extension(0xfe0d, Buffer.from([2])), 'malformed'],
  [
    'the server name twice',
    clientHello({ serverName: 'a.example', extensions: [[0, serverNames('b.example')]] }),
    'malformed',
  ],
  [
    'an unknown extension twice',
    clientHello({
      extensions: [
        [99, u16(0)],
        [99, u16(0)],
      ],
    }),
    'malformed',
  ],
];

describe('refused', () => {
  for (const [what, bytes, refusal, afterBytes] of HOSTILE) {
    test(`${what}: ${refusal}`, () => {
      const verdict = scan(bytes);
      expect(verdict).toMatchObject({ kind: 'refused', refusal });
      const cuts = Array.from({ length: bytes.length }, (_, place) => place);
      const inPieces = scanInPieces(bytes, cuts);
      // The words may tell more when more is there; the judgement is the same.
      expect(inPieces.verdict).toMatchObject({ kind: 'refused', refusal });
      expect(inPieces.seen).toBe(afterBytes ?? bytes.length);
    });
  }

  test('one changed byte of a real one: a hello, a refusal or more to come, never a fault', () => {
    for (const [, bytes] of REAL) {
      for (let place = 0; place < bytes.length; place++) {
        const changed = Buffer.from(bytes);
        changed[place]! ^= 0xff;
        expect(['hello', 'refused', 'more']).toContain(scan(changed).kind);
      }
    }
  });

  test('any bytes: the same verdict however they are cut', () => {
    const start = constantFrom(Buffer.alloc(0), Buffer.from([22, 3, 1]), clientHello().subarray(0, 60));
    const rest = uint8Array({ maxLength: 200 });
    assert(
      property(start, rest, array(nat(260), { maxLength: 8 }), (start, rest, cuts) => {
        const bytes = Buffer.concat([start, rest]);
        const sorted = cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
        const inPieces = scanInPieces(bytes, sorted).verdict;
        const whole = scan(bytes);
        expect(inPieces.kind).toBe(whole.kind);
        if (inPieces.kind === 'refused' && whole.kind === 'refused')
          expect(inPieces.refusal).toBe(whole.refusal);
      }),
    );
  });
});
