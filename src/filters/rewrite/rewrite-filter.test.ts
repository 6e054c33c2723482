import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { filterContext } from '../../../test/support/filter-context.ts';
import { requestHead } from '../../../test/support/request-head.ts';
import { rewriteFilter as schema } from '../../config/schema/filters.ts';
import { normalisePath } from '../../util/uri-path.ts';
import { rewriteFilter } from './rewrite-filter.ts';

function rewrite(prefix: string, to: string | undefined, method: string, target: string) {
  const request = requestHead(method, target);
  const verdict = rewriteFilter(schema.parse({ prefix, to })).onRequest!(filterContext(request));
  expect(verdict).toBeUndefined();
  return request;
}

test.each([
  ['/api', '/', '/api/x', '/x'],
  ['/api', undefined, '/api/x', '/x'],
  ['/api', '/', '/api', '/'],
  ['/api', '/', '/api/', '/'],
  ['/api', '/', '/apis', '/apis'],
  ['/api', '/', '/x/api', '/x/api'],
  ['/api/', '/v2/', '/api/x', '/v2/x'],
  ['/api', '/v2', '/api', '/v2'],
  ['/api', '/v2', '/api/', '/v2/'],
  ['/api', '/v2/b', '/api/x/y/', '/v2/b/x/y/'],
  ['/', '/v2', '/', '/v2/'],
  ['/', '/v2', '/x', '/v2/x'],
  ['/', '/', '/x', '/x'],
  ['/a%20b', '/c', '/a%20b/%2Fd', '/c/%2Fd'],
])('%s to %s: %s becomes %s', (prefix, to, target, path) => {
  const request = rewrite(prefix, to, 'GET', `${target}?q=${prefix}`);
  expect(request.path).toBe(path);
  expect(request.query).toBe(`?q=${prefix}`);
});

test('OPTIONS * has no path', () => {
  expect(rewrite('/', '/v2', 'OPTIONS', '*').path).toBe('*');
});

test('what comes out is normalised', () => {
  const path = fc
    .array(fc.constantFrom('a', 'api', '.well-known', 'b;c', '%2F', '...'), { maxLength: 4 })
    .map((names) => `/${names.join('/')}`);
  const plain = fc.constantFrom('/', '/a', '/a/', '/api', '/api/a/', '/b;c');
  fc.assert(
    fc.property(plain, plain, path, fc.boolean(), (prefix, to, target, closed) => {
      const request = rewrite(prefix, to, 'GET', closed && target !== '/' ? `${target}/` : target);
      expect<string | undefined>(request.path).toBe(normalisePath(request.path));
    }),
  );
});
