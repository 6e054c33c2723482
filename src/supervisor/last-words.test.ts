import { expect, test } from 'bun:test';

import { systemClock } from '../util/clock.ts';
import { LastWords, tellingLine } from './last-words.ts';

function streamOf(...texts: readonly string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
}

test('everything is passed on; the last twenty lines are kept, also those that came in pieces', async () => {
  const all = Array.from({ length: 500 }, (_, index) => `line ${index} of many\n`);
  const passed: Uint8Array[] = [];
  const text = all.join('');
  const words = new LastWords(streamOf(text.slice(0, 4001), text.slice(4001)), systemClock, (bytes) => {
    passed.push(bytes);
  });
  expect(await words.lines()).toEqual(all.slice(-20).map((line) => line.trimEnd()));
  expect(Buffer.concat(passed).toString()).toBe(text);
});

test('a stream that does not end is not waited for', async () => {
  const open = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('so far')),
  });
  const words = new LastWords(open, systemClock, () => {});
  expect(await words.lines()).toEqual(['so far']);
});

test('the line that tells most is that of the error', () => {
  expect(tellingLine(['1 | let', '        ^', 'error: Unexpected end of file', 'Bun v1'])).toBe(
    'error: Unexpected end of file',
  );
  expect(tellingLine(['sh: bun: not found', 'bye'])).toBe('sh: bun: not found');
  expect(tellingLine(['one', '  two'])).toBe('two');
  expect(tellingLine([])).toBeUndefined();
});
