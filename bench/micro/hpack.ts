/**
 * What encoding and decoding the fields of a message costs. Takes about two seconds:
 *   node_modules/.bin/bun bench/micro/hpack.ts
 */
import { HpackDecoder } from '../../src/http/hpack-decoder.ts';
import type { HeaderSink } from '../../src/http/hpack-header-sink.ts';
import { HpackEncoder } from '../../src/http/hpack-encoder.ts';
import { encodeBlock } from '../../test/support/header-list.ts';

const ROUNDS = 7;
const CALLS = 50_000;

const REQUEST: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'www.example.com'],
  [':path', '/users/12345'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['accept-language', 'en-US,en;q=0.5'],
  ['accept-encoding', 'gzip, deflate, br, zstd'],
];
const RESPONSE: readonly (readonly [string, string])[] = [
  [':status', '200'],
  ['date', 'Sat, 21 Nov 2026 07:00:00 GMT'],
  ['content-type', 'text/plain'],
  ['content-length', '77'],
  ['server', 'endpoint'],
];

const keep: HeaderSink = { onHeader: () => true };

/** Nanoseconds of one call: the median of some rounds. */
function measure(run: () => void): string {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let call = 0; call < CALLS; call++) run();
    rounds.push(((performance.now() - start) * 1e6) / CALLS);
  }
  const sorted = rounds.slice(1).sort((a, b) => a - b);
  return sorted[ROUNDS >> 1]!.toFixed(0);
}

process.stdout.write('ns per block                  fields   first   repeated   encode\n');
for (const [name, list] of [
  ['request of a browser', REQUEST],
  ['response of 77 bytes', RESPONSE],
] as const) {
  const encoder = new HpackEncoder(4096);
  const blocks = [1, 2, 3].map(() => encodeBlock(encoder, list));
  const decoder = new HpackDecoder(4096, 65_536);
  for (const block of blocks) decoder.decode(block, 0, block.length, keep);
  const [first, , repeated] = blocks as [Buffer, Buffer, Buffer];
  const decodeFirst = measure(() => void decoder.decode(first, 0, first.length, keep));
  const decodeRepeated = measure(() => void decoder.decode(repeated, 0, repeated.length, keep));
  const lines = list.map(([field, value]) => ({ bytes: Buffer.from(field + value), name: field.length }));
  const to = Buffer.alloc(4096);
  const encode = measure(() => {
    let at = encoder.begin(to, 0);
    for (const { bytes, name } of lines)
      at = encoder.field(bytes, 0, name, name, bytes.length, false, to, at);
  });
  process.stdout.write(
    `${name.padEnd(28)}${String(list.length).padStart(8)}${decodeFirst.padStart(8)}${decodeRepeated.padStart(11)}${encode.padStart(9)}\n`,
  );
}
