import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const pages = [
  'README.md',
  ...new Bun.Glob('docs/**/*.md').scanSync({ cwd: root }),
  ...new Bun.Glob('examples/*/*.md').scanSync({ cwd: root }),
].sort();

interface Block {
  readonly page: string;
  /** Line of the page at which the block begins. */
  readonly line: number;
  readonly yaml: string;
}

const REST = `
listeners: [{ name: web, address: "127.0.0.1:8080", routes: [{ pool: web }] }]
pools: [{ name: web, endpoints: [10.0.0.1:3000] }]
`;

/** The YAML blocks of a page. A part of a configuration gets the least that makes it a whole one. */
function configurations(page: string): Block[] {
  if (!existsSync(root + page)) return [];
  const markdown = readFileSync(root + page, 'utf8');
  return [...markdown.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => ({
    page,
    line: markdown.slice(0, match.index).split('\n').length,
    yaml: match[1]!.includes('listeners:') ? match[1]! : match[1]! + REST,
  }));
}

describe('configurations in the documentation', () => {
  const blocks = pages.flatMap(configurations);
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pointsman-docs-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('there are some', () => {
    expect(blocks.length).toBeGreaterThan(5);
  });

  test.each(blocks.map(({ page, line, yaml }) => [`${page}:${line}`, yaml] as const))(
    '%s passes "pointsman check"',
    (place, yaml) => {
      const file = join(directory, `${place.replaceAll(/[^\w]/g, '-')}.yaml`);
      writeFileSync(file, yaml);
      const check = Bun.spawnSync([join(root, 'bin/pointsman'), 'check', '-c', file], { stdin: 'ignore' });
      expect(check.stderr.toString() + check.stdout.toString()).not.toContain('warning');
      expect(check.exitCode).toBe(0);
    },
  );
});
