import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openssl, TestCa } from '../support/certificates.ts';

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

/** Where the documentation has its certificates. */
const CERTIFICATES = '/etc/pointsman/';

/** Certificates of the names that the documentation uses. */
function certificates(): TestCa | undefined {
  if (Bun.which('openssl') === null) return undefined;
  const ca = new TestCa();
  ca.issue('example.com');
  ca.issue('example.com-rsa', { kind: 'rsa', names: ['example.com'] });
  ca.issue('api.example.com');
  for (const name of ['clients-ca.pem', 'internal-ca.pem']) writeFileSync(ca.file(name), ca.pem);
  openssl(`rand -out ${ca.file('ticket-keys')} 160`);
  return ca;
}

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
  const ca = certificates();
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pointsman-docs-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    ca?.[Symbol.dispose]();
  });

  test('there are some', () => {
    expect(blocks.length).toBeGreaterThan(5);
  });

  test.each(blocks.map(({ page, line, yaml }) => [`${page}:${line}`, yaml] as const))(
    '%s passes "pointsman check"',
    (place, yaml) => {
      const file = join(directory, `${place.replaceAll(/[^\w]/g, '-')}.yaml`);
      if (yaml.includes(CERTIFICATES) && ca === undefined) return;
      writeFileSync(file, yaml.replaceAll(CERTIFICATES, `${ca?.directory ?? ''}/`));
      const check = Bun.spawnSync([join(root, 'bin/pointsman'), 'check', '-c', file], { stdin: 'ignore' });
      expect(check.stderr.toString() + check.stdout.toString()).not.toContain('warning');
      expect(check.exitCode).toBe(0);
    },
  );
});
