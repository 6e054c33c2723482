import { describe, expect, test } from 'bun:test';
import { dirname, join } from 'node:path';

import { importsOf, violationsOf } from './support/house-rules.ts';

const root = new URL('..', import.meta.url).pathname;
/** The gate must not pass because it saw nothing. */
const LEAST_FILES = 40;
const LEAST_IMPORTS = 40;

test('src/ keeps to the table of imports', async () => {
  const files = [...new Bun.Glob('src/**/*.ts').scanSync({ cwd: root })].sort();
  const violations: string[] = [];
  let imports = 0;
  for (const file of files) {
    const source = await Bun.file(root + file).text();
    imports += importsOf(source).length;
    violations.push(...violationsOf(file, source));
  }
  expect(violations).toEqual([]);
  expect(files.length).toBeGreaterThanOrEqual(LEAST_FILES);
  expect(imports).toBeGreaterThanOrEqual(LEAST_IMPORTS);
});

/** What a file loads with it, libraries by their names. */
async function loadedBy(entry: string): Promise<Set<string>> {
  const loaded = new Set([entry]);
  // A set is walked to what is added on the way, too.
  for (const file of loaded) {
    if (!file.endsWith('.ts')) continue;
    for (const { from, values } of importsOf(await Bun.file(root + file).text()))
      if (values.length > 0) loaded.add(from.startsWith('.') ? join(dirname(file), from) : from);
  }
  return loaded;
}

test('workers load no library: each would pay for it with its start and its memory', async () => {
  const loaded = [...(await loadedBy('src/supervisor/worker-main.ts'))];
  expect(loaded.length).toBeGreaterThanOrEqual(LEAST_FILES);
  expect(loaded.filter((name) => !name.startsWith('src/') && !/^(node|bun):/.test(name))).toEqual([]);
});

describe('every form of import is seen', () => {
  test.each([
    [`import { a, type B } from './x.ts';`, './x.ts', ['a']],
    [`import type { A } from './x.ts';`, './x.ts', []],
    [`import {\n  a,\n  b as c,\n} from './x.ts';`, './x.ts', ['a', 'b']],
    [`import all, { b } from './x.ts';`, './x.ts', ['*', 'b']],
    [`import * as all from './x.ts';`, './x.ts', ['*']],
    [`import './x.ts';`, './x.ts', ['*']],
    [`export { a } from './x.ts';`, './x.ts', ['a']],
    [`export * from './x.ts';`, './x.ts', ['*']],
    [`const a = await import('./x.ts');`, './x.ts', ['*']],
  ])('%s', (source, from, values) => {
    expect(importsOf(source)).toEqual([{ from, values }]);
  });

  test('comments and strings are not imports', () => {
    expect(
      importsOf(`// import('./x.ts')\n/**\n * import './x.ts';\n */\nconst a = "b from './x.ts'";`),
    ).toEqual([]);
  });
});

describe('what is refused', () => {
  test.each([
    ['upwards', 'src/net/dial.ts', `import { a } from '../http/a.ts';`],
    ['a sibling', 'src/health/a.ts', `import { a } from '../balancer/b.ts';`],
    ['a sibling below', 'src/connector/a.ts', `import type { A } from '../http/b.ts';`],
    ['main past cli', 'src/main.ts', `import { a } from './supervisor/a.ts';`],
    ['a value of config in the model', 'src/model/a.ts', `import { pool } from '../config/schema/pool.ts';`],
    ['a room that is not on the plan', 'src/stuff/a.ts', ``],
    ['a room of a refused name', 'src/helpers/a.ts', ``],
    ['a folder of a refused name', 'src/l7/common/a.ts', ``],
    ['a file of a refused name', 'src/l7/types.ts', ``],
    ['sockets outside net', 'src/connector/a.ts', `Bun.connect({});`],
    ['socket modules outside net', 'src/l4/a.ts', `import { connect } from 'node:net';`],
    ['node:http on the data path', 'src/l7/a.ts', `import http from 'node:http';`],
    ['fetch on the data path', 'src/health/a.ts', `await fetch('http://a');`],
    ['a test by a source', 'src/l7/a.ts', `import { a } from './b.test.ts';`],
    ['the test folder by a source', 'src/l7/a.ts', `import { a } from '../../test/support/a.ts';`],
    ['a path without extension', 'src/l7/a.ts', `import { a } from './b';`],
  ])('%s', (_what, file, source) => {
    expect(violationsOf(file, source)).toHaveLength(1);
  });
});

describe('what is allowed', () => {
  test.each([
    ['downwards over any distance', 'src/cli/run.ts', `import { a } from '../util/a.ts';`],
    ['the own room', 'src/l7/router/a.ts', `import { a } from '../b.ts';`],
    [
      'types of config in the model',
      'src/model/a.ts',
      `import type { PoolConfig } from '../config/schema/pool.ts';`,
    ],
    [
      'addresses in the model',
      'src/model/a.ts',
      `import { formatAddress } from '../config/schema/address.ts';`,
    ],
    ['sockets in net', 'src/net/a.ts', `import tls from 'node:tls';\nBun.listen({});`],
    [
      'sockets in tests',
      'src/health/a.test.ts',
      `import { a } from '../../test/support/a.ts';\nBun.listen({});`,
    ],
    ['functions of an address', 'src/config/a.ts', `import { isIP } from 'node:net';`],
    ['fetch off the data path', 'src/cli/a.ts', `await fetch('http://a');`],
    ['a method called fetch', 'src/l7/a.ts', `cache.fetch(1);`],
    ['sockets in a comment', 'src/l7/a.ts', `// Bun.listen is not used here`],
  ])('%s', (_what, file, source) => {
    expect(violationsOf(file, source)).toEqual([]);
  });
});
