import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { formatIssue } from './issue.ts';
import { loadYaml } from './load.ts';

/**
 * Files of cases: `=== name`, the text of a configuration, and every line that `check` says of it, each after `=> `.
 * Line numbers count from the line after the name.
 */
const directory = join(import.meta.dir, 'golden');

interface Case {
  readonly name: string;
  readonly text: string;
  readonly said: readonly string[];
}

function casesOf(file: string): Case[] {
  const blocks = readFileSync(join(directory, file), 'utf8').split(/^=== /m).slice(1);
  return blocks.map((block) => {
    const [name = '', ...lines] = block.trimEnd().split('\n');
    const said = lines.filter((line) => line.startsWith('=> ')).map((line) => line.slice(3));
    const text = lines.filter((line) => !line.startsWith('=> ')).join('\n');
    return { name, text: text === '' ? '' : `${text}\n`, said };
  });
}

function saidOf(text: string): string[] {
  const result = loadYaml(text, 'f');
  const lines = result.ok
    ? result.warnings.map((warning) => formatIssue(warning, 'warning'))
    : result.issues.map((issue) => formatIssue(issue));
  return lines.length === 0 ? ['ok'] : lines.map((line) => line.replace(/^f:/, ''));
}

const files = readdirSync(directory).toSorted();

describe.each(files)('%s', (file) => {
  test.each(casesOf(file).map((one) => [one.name, one] as const))('%s', (_, { text, said }) => {
    expect(saidOf(text)).toEqual([...said]);
  });
});

test('there are at least 60 bad configurations among them, each with its messages', () => {
  const bad = files
    .flatMap(casesOf)
    .filter(({ said }) => said.some((line) => /^\d+:\d+: (?!warning)/.test(line)));
  expect(bad.length).toBeGreaterThanOrEqual(60);
});
