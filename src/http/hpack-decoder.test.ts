import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { decodeBlock } from '../../test/support/header-list.ts';
import { Known } from '../model/known-fields.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HeaderKind } from './hpack-kinds.ts';

const MAX_LIST = 16 * 1024;

function decoder(tableBytes = 4096, listBytes = MAX_LIST): HpackDecoder {
  return new HpackDecoder(tableBytes, listBytes);
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

/** The examples of RFC 7541 appendix C: blocks that follow each other on one connection, and what they mean. */
const examples: readonly {
  readonly name: string;
  readonly tableBytes: number;
  readonly blocks: readonly (readonly [hex: string, ...fields: string[]])[];
}[] = [
  {
    name: 'C.2.1 literal with indexing',
    tableBytes: 4096,
    blocks: [
      ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header'],
      ['be', 'custom-key: custom-header'],
    ],
  },
  {
    name: 'C.2.2 literal without indexing',
    tableBytes: 4096,
    blocks: [['040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path']],
  },
  {
    name: 'C.2.3 literal never indexed',
    tableBytes: 4096,
    blocks: [['1008 7061 7373 776f 7264 0673 6563 7265 74', '!password: secret']],
  },
  { name: 'C.2.4 indexed', tableBytes: 4096, blocks: [['82', ':method: GET']] },
  {
    name: 'C.3 requests without Huffman',
    tableBytes: 4096,
    blocks: [
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        ':method: GET',
        ':scheme: http',
        ':path: /',
        ':authority: www.example.com',
      ],
      [
        '8286 84be 5808 6e6f 2d63 6163 6865',
        ':method: GET',
        ':scheme: http',
        ':path: /',
        ':authority: www.example.com',
        'cache-control: no-cache',
      ],
      [
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        ':method: GET',
        ':scheme: https',
        ':path: /index.html',
        ':authority: www.example.com',
        'custom-key: custom-value',
      ],
    ],
  },
  {
    name: 'C.4 requests with Huffman',
    tableBytes: 4096,
    blocks: [
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        ':method: GET',
        ':scheme: http',
        ':path: /',
        ':authority: www.example.com',
      ],
      [
        '8286 84be 5886 a8eb 1064 9cbf',
        ':method: GET',
        ':scheme: http',
        ':path: /',
        ':authority: www.example.com',
        'cache-control: no-cache',
      ],
      [
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
        ':method: GET',
        ':scheme: https',
        ':path: /index.html',
        ':authority: www.example.com',
        'custom-key: custom-value',
      ],
    ],
  },
  {
    name: 'C.5 responses without Huffman, evictions',
    tableBytes: 256,
    blocks: [
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768
         7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        ':status: 302',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:21 GMT',
        'location: https://www.example.com',
      ],
      [
        '4803 3330 37c1 c0bf',
        ':status: 307',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:21 GMT',
        'location: https://www.example.com',
      ],
      [
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153
         444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31`,
        ':status: 200',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:22 GMT',
        'location: https://www.example.com',
        'content-encoding: gzip',
        'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      ],
    ],
  },
  {
    name: 'C.6 responses with Huffman, evictions',
    tableBytes: 256,
    blocks: [
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8
         e9ae 82ae 43d3`,
        ':status: 302',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:21 GMT',
        'location: https://www.example.com',
      ],
      [
        '4883 640e ffc1 c0bf',
        ':status: 307',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:21 GMT',
        'location: https://www.example.com',
      ],
      [
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b
         3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
        ':status: 200',
        'cache-control: private',
        'date: Mon, 21 Oct 2013 20:13:22 GMT',
        'location: https://www.example.com',
        'content-encoding: gzip',
        'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      ],
    ],
  },
];

describe('HpackDecoder', () => {
  for (const { name, tableBytes, blocks } of examples) {
    test(`RFC 7541 ${name}`, () => {
      const one = decoder(tableBytes);
      for (const [block, ...fields] of blocks)
        expect(decodeBlock(one, hex(block))).toMatchObject({ error: undefined, fields });
    });
  }

  test('RFC 7541 C.1: integers, by sizes of the table', () => {
    // 1337 with a prefix of 5 bits; 31 is the first that needs another byte.
    expect(decodeBlock(decoder(1337), hex('3f9a0a')).error).toBeUndefined();
    expect(decodeBlock(decoder(1336), hex('3f9a0a')).error).toBe('size_update_too_large');
    expect(decodeBlock(decoder(31), hex('3f00')).error).toBeUndefined();
    expect(decodeBlock(decoder(30), hex('3f00')).error).toBe('size_update_too_large');
  });

  test('the kind of a field is known without its name being read', () => {
    const { kinds } = decodeBlock(
      decoder(),
      hex('82 86 84 41 01 61 88 60 01 61 40 01 78 01 79 be 40 02 3a 78 00'),
    );
    expect(kinds).toEqual([
      HeaderKind.Method,
      HeaderKind.Scheme,
      HeaderKind.Path,
      HeaderKind.Authority,
      HeaderKind.Status,
      Known.Cookie,
      Known.Other,
      Known.Other,
      HeaderKind.UnknownPseudo,
    ]);
  });

  test('what is wrong with a block is said', () => {
    const cases: readonly (readonly [hex: string, error: string])[] = [
      ['80', 'index_unknown'],
      ['be', 'index_unknown'],
      ['ff80 8080 8001', 'integer_too_large'],
      ['ffff ffff ff7f', 'integer_too_large'],
      ['ff', 'truncated'],
      ['ff80', 'truncated'],
      ['40', 'truncated'],
      ['4003 6162', 'truncated'],
      ['4001 61', 'truncated'],
      ['4001 6105 62', 'truncated'],
      ['7f01 0161', 'index_unknown'],
      ['0f30 0161', 'index_unknown'],
      ['82 20', 'size_update_late'],
      ['3fe2 1f', 'size_update_too_large'],
      // Padding of eight bits; padding that is not of ones; EOS itself.
      ['4001 6182 1fff', 'huffman_invalid'],
      ['4001 6181 18', 'huffman_invalid'],
      ['4001 6184 ffff ffff', 'huffman_invalid'],
      ['4081 00', 'huffman_invalid'],
    ];
    for (const [block, error] of cases)
      expect([block, decodeBlock(decoder(), hex(block)).error]).toEqual([block, error as never]);
  });

  test('two updates of the size may begin a block, and entries go', () => {
    const one = decoder();
    expect(decodeBlock(one, hex('4001 6101 62')).fields).toEqual(['a: b']);
    expect(decodeBlock(one, hex('20 3fe1 1f 82')).fields).toEqual([':method: GET']);
    expect(decodeBlock(one, hex('be')).error).toBe('index_unknown');
  });

  test('an entry larger than the table empties it and is handed out all the same', () => {
    const one = decoder(64);
    expect(decodeBlock(one, hex('4001 6101 62')).fields).toEqual(['a: b']);
    const large = Buffer.concat([hex('4001 6328'), Buffer.alloc(40, 'x')]);
    expect(decodeBlock(one, large).fields).toEqual([`c: ${'x'.repeat(40)}`]);
    expect(decodeBlock(one, hex('be')).error).toBe('index_unknown');
  });

  test('an entry may take its name from the one that it evicts', () => {
    const one = decoder(70);
    expect(decodeBlock(one, hex('4005 6161 6161 6101 62')).fields).toEqual(['aaaaa: b']);
    const second = Buffer.concat([hex('7e 1e'), Buffer.alloc(30, 'x')]);
    expect(decodeBlock(one, second).fields).toEqual([`aaaaa: ${'x'.repeat(30)}`]);
    expect(decodeBlock(one, hex('be')).fields).toEqual([`aaaaa: ${'x'.repeat(30)}`]);
    expect(decodeBlock(one, hex('bf')).error).toBe('index_unknown');
  });

  describe('names and values that break RFC 9113 section 8.2.1 are marked', () => {
    function literal(name: string, value: string): Buffer {
      return Buffer.concat([
        Buffer.from([0x40, name.length]),
        Buffer.from(name, 'latin1'),
        Buffer.from([value.length]),
        Buffer.from(value, 'latin1'),
      ]);
    }
    const malformed: readonly (readonly [name: string, value: string])[] = [
      ['Upper', 'a'],
      ['', 'a'],
      ['a b', 'a'],
      ['a:b', 'a'],
      ['a\r\nb', 'a'],
      ['\u00e4', 'a'],
      ['a', 'b\r\nc: d'],
      ['a', 'b\n'],
      ['a', 'b\0'],
      ['a', ' b'],
      ['a', 'b\t'],
      ['a', '\u007f'],
    ];
    for (const [name, value] of malformed) {
      test(JSON.stringify([name, value]), () => {
        const one = decoder();
        expect(decodeBlock(one, literal(name, value)).kinds).toEqual([HeaderKind.Malformed]);
        expect(decodeBlock(one, hex('be')).kinds).toEqual([HeaderKind.Malformed]);
      });
    }

    test('a good value under the name of an entry with a bad one is good', () => {
      const one = decoder();
      decodeBlock(one, literal('x', ' '));
      expect(decodeBlock(one, hex('0f2f 0161')).kinds).toEqual([Known.Other]);
    });

    test('inner blanks, obs-text and empty values are good; names that mimic ours are known as such', () => {
      const one = decoder();
      expect(decodeBlock(one, literal('x', 'a \t\u00e4b')).kinds).toEqual([Known.Other]);
      expect(decodeBlock(one, literal('x', '')).kinds).toEqual([Known.Other]);
      expect(decodeBlock(one, literal('content_length', '1')).kinds).toEqual([HeaderKind.Alias]);
      expect(decodeBlock(one, literal('x_y', '1')).kinds).toEqual([Known.Other]);
    });
  });

  describe('the size of the list', () => {
    test('is counted with 32 bytes a field', () => {
      const one = decoder(4096, 2 * (1 + 1 + 32));
      const two = hex('4001 6101 62 be');
      expect(decodeBlock(one, two).fields).toEqual(['a: b', 'a: b']);
      expect([one.listBytes, one.tooLarge]).toEqual([68, false]);
      expect(decodeBlock(one, Buffer.concat([two, hex('be')])).fields).toHaveLength(2);
      expect(one.tooLarge).toBe(true);
    });

    test('a bomb of references writes no more than the limit', () => {
      const one = decoder(4096, 32 * 1024);
      const entry = Buffer.concat([hex('4001 61 7f81 1e'), Buffer.alloc(0x7f + 0xf01, 'x')]);
      expect(decodeBlock(one, entry)).toMatchObject({ error: undefined });
      const bomb = Buffer.alloc(16_000, 0xbe);
      const { error, fields } = decodeBlock(one, bomb);
      expect(error).toBeUndefined();
      expect(fields).toHaveLength(Math.floor((32 * 1024) / (1 + 0x7f + 0xf01 + 32)));
      expect(one.tooLarge).toBe(true);
      expect(one.linesEnd).toBeLessThan(32 * 1024);
    });

    test('behind the limit the table is still kept: the next block finds its entries', () => {
      const one = decoder(4096, 40);
      expect(decodeBlock(one, hex('4001 6101 62 4001 6301 64')).fields).toEqual(['a: b']);
      expect(one.tooLarge).toBe(true);
      expect(decodeBlock(one, hex('be')).fields).toEqual(['c: d']);
      expect(one.tooLarge).toBe(false);
    });

    test('a string larger than everything is skipped; with indexing it empties the table', () => {
      const one = decoder(64, 100);
      decodeBlock(one, hex('4001 6101 62'));
      const length = 100_000;
      const large = Buffer.concat([hex('4001 63 7fa18c06'), Buffer.alloc(length, 'x'), hex('82')]);
      expect(decodeBlock(one, large)).toMatchObject({ error: undefined, fields: [] });
      expect(one.tooLarge).toBe(true);
      expect(decodeBlock(one, hex('be')).error).toBe('index_unknown');
    });
  });

  test('whatever comes, it ends: an error or fields within the limit', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (blocks) => {
        const one = decoder(256, 512);
        for (const block of blocks) {
          const { error, fields } = decodeBlock(one, block);
          expect(fields.reduce((sum, field) => sum + field.length, 0)).toBeLessThan(512);
          if (error !== undefined) return;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
