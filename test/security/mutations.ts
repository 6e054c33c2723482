import { randomBelow, seededRandom } from '../../src/util/random.ts';

/** Pieces that upset parsers: put in, put over, or put between. */
const PIECES: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  '-1',
  '+',
  '0x',
  '\x0b',
  '\x7f',
  '\x80',
  '\xff',
  '%00',
  '%2e%2e/',
  '#',
  '"',
  '\\',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: \x0bchunked\r\n',
  'Host: b.test\r\n',
  'Connection: close\r\n',
  'Connection: Content-Length\r\n',
  ' folded\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.1',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
];

function mutateOnce(text: string, draw: (below: number) => number): string {
  const at = draw(text.length + 1);
  const piece = PIECES[draw(PIECES.length)] ?? '';
  switch (draw(6)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + piece + text.slice(at + piece.length);
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + draw(4));
    case 3:
      return text.slice(0, at) + String.fromCodePoint(draw(256)) + text.slice(at + 1);
    case 4: {
      // A line is the unit that matters most: double one, or put a new one between.
      const lines = text.split('\r\n');
      const line = draw(lines.length);
      lines.splice(line, 0, draw(2) === 0 ? (lines[line] ?? '') : piece.replace(/\r\n$/, ''));
      return lines.join('\r\n');
    }
    default: {
      const from = draw(text.length);
      return text.slice(0, at) + text.slice(from, from + draw(30)) + text.slice(at);
    }
  }
}

/** `text` with one to three faults, always the same for the same seed. */
export function mutated(texts: readonly string[], seed: number): string {
  const random = seededRandom(seed);
  const draw = (below: number) => randomBelow(random, below);
  let text = texts[draw(texts.length)] ?? '';
  for (let faults = 1 + draw(3); faults > 0; faults--) text = mutateOnce(text, draw);
  return text;
}
