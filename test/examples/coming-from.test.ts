import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';

import { formatIssue } from '../../src/config/issue.ts';
import { loadYaml } from '../../src/config/load.ts';
import { TestCa } from '../support/certificates.ts';
import { testWith } from '../support/programs.ts';

/** Every line of the tables "theirs to ours" is put where it belongs in a configuration, and that one is checked. */

const PAGE = new URL('../../docs/guide/coming-from-another-balancer.md', import.meta.url).pathname;
const CERTIFICATES = '/etc/pointsman/';

interface Row {
  readonly theirs: string;
  readonly ours: string;
}

const rows: Row[] = readFileSync(PAGE, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`'))
  .map((line) => {
    const [theirs = '', ours = ''] = line.slice(2, -2).split(' | ');
    return { theirs, ours };
  });

/** Lines that are said in words, for there is nothing to write. */
const IN_WORDS = new Set(['`priority` of a router', '`example.com { reverse_proxy 10.0.0.1:80 }`']);

type Kind = 'top' | 'listener' | 'route' | 'pool' | 'endpoint' | 'a listener';

/** The configurations that a line stands for: the place, and what is written there. */
function written(ours: string): { readonly kind: Kind; readonly yaml: string }[] {
  const found = [
    ...ours.matchAll(/(top|a listener|listener|route|pool|endpoint) `([^`]+)`((?:, `[^`:]+`)*)/g),
  ];
  return found.flatMap(([, kind, first = '', more = '']) => {
    const key = first.split(':')[0]!;
    const others = [...more.matchAll(/`([^`]+)`/g)].map((match) => `${key}: ${match[1]!}`);
    return [first, ...others].map((yaml) => ({ kind: kind as Kind, yaml }));
  });
}

/** A whole configuration with these parts in it. Keys without braces get some. */
function whole(parts: ReturnType<typeof written>): string {
  const of = (kind: Kind) => parts.filter((part) => part.kind === kind).map(({ yaml }) => yaml);
  const keys = (kind: Kind) =>
    of(kind)
      .map((yaml) => `, ${yaml.startsWith('{') ? yaml.slice(1, -1) : yaml}`)
      .join('');
  const address = keys('listener').includes('address:') ? '' : ', address: ":8080"';
  const endpoints = keys('pool').includes('endpoints:')
    ? ''
    : `, endpoints: [ ${['10.0.0.9:80', ...of('endpoint')].join(', ')} ]`;
  const canary = keys('route').includes('canary') ? '- { name: canary, endpoints: [ 10.0.0.8:80 ] }' : '';
  const routes = [
    ...of('route'),
    ...(of('route').some((one) => !one.includes('match')) ? [] : ['{ pool: web }']),
  ];
  return `
${of('top').join('\n')}
listeners:
  - { name: web${address}${keys('listener')}, routes: [ ${routes.join(', ')} ] }
${of('a listener')
  .map((one) => `  - ${one}`)
  .join('\n')}
  - { name: spare, address: ":8099", routes: [ { pool: web } ] }
pools:
  - { name: web${endpoints}${keys('pool')} }
  ${canary}
`;
}

describe('what is to be written instead', () => {
  let ca: TestCa;
  beforeAll(() => {
    ca = new TestCa();
    const { cert, key } = ca.issue('example.com');
    writeFileSync(ca.file('both.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
    writeFileSync(ca.file('internal-ca.pem'), ca.pem);
  });
  afterAll(() => ca[Symbol.dispose]());

  test('there are tables', () => {
    expect(rows.length).toBeGreaterThan(90);
  });

  testWith('openssl').each(rows)('$theirs', ({ theirs, ours }) => {
    const parts = written(ours);
    if (IN_WORDS.has(theirs) || ours.startsWith('`pointsman ')) return;
    expect(parts.length).toBeGreaterThan(0);
    const alternatives = parts.some(
      ({ kind }, index) => parts.findIndex((one) => one.kind === kind) !== index,
    );
    for (const group of alternatives ? parts.map((part) => [part]) : [parts]) {
      const yaml = whole(group).replaceAll(CERTIFICATES, `${ca.directory}/`);
      const result = loadYaml(yaml, ca.file('pointsman.yaml'));
      const issues = result.ok ? result.warnings : result.issues;
      // Whether the user who tests may write where certificates are kept by default is not asked here.
      const said = issues.filter(({ path }) => path !== 'acme');
      expect(said.map((issue) => formatIssue(issue))).toEqual([]);
    }
  });
});
