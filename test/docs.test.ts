import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import packageJson from '../package.json';
import { anchorsOf, claimsOf } from './support/doc-claims.ts';

const root = new URL('..', import.meta.url).pathname;
const topLevel = new Set(readdirSync(root));
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']
  .filter((page) => existsSync(root + page))
  .concat([...new Bun.Glob('{docs,bench,examples}/**/*.md').scanSync({ cwd: root })].sort());
const claims = pages.map((page) => ({ page, ...claimsOf(readFileSync(root + page, 'utf8'), topLevel) }));

function exists(path: string): boolean {
  if (!path.includes('*')) return existsSync(join(root, path));
  return !new Bun.Glob(path).scanSync({ cwd: root, onlyFiles: false, dot: true }).next().done;
}

/** What `pointsman WORDS --help` prints; undefined when it fails. */
function help(words: readonly string[]): string | undefined {
  const result = Bun.spawnSync([join(root, 'bin/pointsman'), ...words, '--help'], { stdin: 'ignore' });
  return result.success ? result.stdout.toString() : undefined;
}

function hasCommand(helpText: string, word: string): boolean {
  return new RegExp(`^\\s+(?:[\\w-]+\\|)?${word}(?:[\\s|]|$)`, 'm').test(
    helpText.split(/^Commands:/m)[1] ?? '',
  );
}

/** The first word or option of a command line that the program does not know. */
function unknownWord(words: readonly string[]): string | undefined {
  let text = help([]);
  const path: string[] = [];
  if (text === undefined) return '--help';
  for (const word of words) {
    if (word.startsWith('-')) break;
    if (!/^Commands:/m.test(text)) break;
    if (!hasCommand(text, word)) return word;
    path.push(word);
    text = help(path);
    if (text === undefined) return word;
  }
  const known = text;
  return words
    .filter((word) => /^--?[A-Za-z]/.test(word))
    .map((word) => word.split('=')[0]!)
    .find((option) => !new RegExp(`(?:^|[\\s,])${option}(?:[\\s,=]|$)`, 'm').test(known));
}

test('there are pages to check', () => {
  expect(pages.length).toBeGreaterThan(0);
  expect(claims.flatMap((claim) => claim.paths).length).toBeGreaterThan(0);
});

test('every file and folder that is named exists', () => {
  const missing = claims.flatMap(({ page, paths }) =>
    paths.filter((path) => !exists(path)).map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test('every npm script that is named exists', () => {
  const scripts = new Set(Object.keys(packageJson.scripts));
  const missing = claims.flatMap(({ page, scripts: named }) =>
    named.filter((name) => !scripts.has(name)).map((name) => `${page}: npm run ${name}`),
  );
  expect(missing).toEqual([]);
});

test('every command and option that is named is known to the program', () => {
  const checked = new Map<string, string | undefined>();
  const unknown: string[] = [];
  for (const { page, commands } of claims) {
    for (const words of commands) {
      const line = words.join(' ');
      if (!checked.has(line)) checked.set(line, unknownWord(words));
      const word = checked.get(line);
      if (word !== undefined) unknown.push(`${page}: pointsman ${line}: ${word}`);
    }
  }
  expect(unknown).toEqual([]);
}, 120_000);

test('every link inside the project leads somewhere', () => {
  const broken = claims.flatMap(({ page, links }) =>
    links
      .filter((link) => {
        const [path, anchor] = link.split('#') as [string, string | undefined];
        const target = path === '' ? page : normalize(join(dirname(page), path));
        if (!existsSync(root + target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(root + target, 'utf8')).has(anchor);
      })
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

describe('claims are read from', () => {
  const top = new Set(['src', 'docs']);

  test('paths in backticks, when they begin in the project', () => {
    const found = claimsOf(
      '`src/net/` and `src/**/*.ts`, not `text/html`, `/api/*` or `README.md`: `src`',
      top,
    );
    expect(found.paths).toEqual(['src/net/', 'src/**/*.ts', 'README.md']);
  });

  test('commands in shell blocks and backticks', () => {
    const page = [
      '```sh',
      '$ ./bin/pointsman run -c a.yaml  # serves',
      'pointsman check \\',
      '  --json | jq .',
      'npm run bench && npm test',
      '```',
      '```yaml',
      'pointsman run --nonsense',
      '```',
      'Then `pointsman status`, or `npm test -- fast`.',
    ].join('\n');
    const found = claimsOf(page, top);
    expect(found.commands).toEqual([['run', '-c', 'a.yaml'], ['check', '--json'], ['status']]);
    expect(found.scripts).toEqual(['bench', 'test']);
  });

  test('links that stay here', () => {
    const found = claimsOf('[a](docs/a.md#b) [c](https://example.com) [d](#e)', top);
    expect(found.links).toEqual(['docs/a.md#b', '#e']);
  });

  test('headings, for anchors', () => {
    expect([...anchorsOf('# One, two\n## The `x` file\n## One, two\n```sh\n# no heading\n```\n')]).toEqual([
      'one-two',
      'the-x-file',
      'one-two-1',
    ]);
  });
});
