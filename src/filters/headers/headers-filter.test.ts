import { describe, expect, test } from 'bun:test';

import { filterContext, responseHead } from '../../../test/support/filter-context.ts';
import { requestHead } from '../../../test/support/request-head.ts';
import { headersFilter as schema } from '../../config/schema/filters.ts';
import type { Filter } from '../../model/filter.ts';
import type { RequestHead } from '../../model/message.ts';
import { headersFilter } from './headers-filter.ts';

function compile(config: object): Filter {
  return headersFilter(schema.parse(config));
}

function edit(request: RequestHead, edits: object): void {
  expect(compile({ request: edits }).onRequest!(filterContext(request))).toBeUndefined();
}

describe('a request', () => {
  test('loses what is removed, keeps one of what is set, gains what is added', () => {
    const filter = compile({
      request: {
        set: { 'X-One': 'new', 'X-New': 'n' },
        add: { 'X-Two': 'more' },
        remove: ['x-gone', 'X-None'],
      },
    });
    const request = requestHead(
      'GET',
      '/',
      'x-one: 1',
      'X-Gone: 1',
      'X-TWO: 2',
      'X-One: 3',
      'X-GONE: 2',
      'X-Kept: k',
    );
    expect(filter.onRequest!(filterContext(request))).toBeUndefined();
    expect(request.fields.written()).toEqual([
      'Host: a.test',
      'X-TWO: 2',
      'X-Kept: k',
      'X-One: new',
      'X-New: n',
      'X-Two: more',
    ]);
    expect('onResponse' in filter).toBe(false);
  });

  test('sees the edits of an earlier filter', () => {
    const request = requestHead('GET', '/');
    edit(request, { add: { 'X-A': '1', 'X-B': '1' } });
    edit(request, { set: { 'x-a': '2' }, remove: ['x-b'] });
    expect(request.fields.written()).toEqual(['Host: a.test', 'x-a: 2']);
  });

  test('goes to another authority when Host is set', () => {
    const request = requestHead('GET', '/', 'X-A: 1');
    edit(request, { set: { HOST: 'inner.test:81' } });
    expect(request.authority).toBe('inner.test:81');
    expect(request.hostReplaced).toBe(true);
    expect(request.fields.written()).toEqual(['X-A: 1']);
  });
});

test('a response is edited alike', () => {
  const filter = compile({
    response: { set: { Server: 'none' }, add: { 'X-A': '2' }, remove: ['X-Powered-By'] },
  });
  const head = responseHead('Server: a', 'X-A: 1', 'X-Powered-By: b');
  filter.onResponse!(filterContext(requestHead('GET', '/')), head);
  expect(head.fields.written()).toEqual(['X-A: 1', 'Server: none', 'X-A: 2']);
  expect('onRequest' in filter).toBe(false);
});
