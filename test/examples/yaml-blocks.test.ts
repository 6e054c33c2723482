import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const pages = [
  'README.md',
  ...new Bun.Glob('docs/guide/*.md').scanSync({ cwd: root }),
  ...new Bun.Glob('examples/*/*.md').scanSync({ cwd: root }),
].sort();

interface Block {
  readonly page: string;
  /** Line of the page at which the block begins. */
  readonly line: number;
  readonly yaml: string;
}

/** The YAML blocks of a page that are whole configurations, not excerpts. */
function configurations(page: string): Block[] {
  if (!existsSync(root + page)) return [];
  const markdown = readFileSync(root + page, 'utf8');
  return [...markdown.matchAll(/^```yaml\n([\s\S]*?)^```/gm)]
    .map((match) => ({
      page,
      line: markdown.slice(0, match.index).split('\n').length,
      yaml: match[1]!,
    }))
    .filter(({ yaml }) => yaml.includes('listeners:') && yaml.includes('pools:'));
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
