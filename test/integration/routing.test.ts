import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import type { ListenerInput } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask } from '../support/wire.ts';

/** Every route answers with its name, so that the table below says which one won. */
const ROUTES: ListenerInput['routes'] = (
  [
    ['host', { host: 'exact.test' }],
    ['wildcard', { host: '*.wild.test' }],
    ['hosts', { host: ['one.test', 'two.test'] }],
    ['host-and-path', { host: 'both.test', path: '/only/*' }],
    ['exact', { path: '/login' }],
    ['prefix', { path: '/api/*' }],
    ['paths', { path: ['/p1', '/p2/*'] }],
    ['first', { path: '/first/second/*' }],
    ['second', { path: '/first/*' }],
    ['method', { path: '/method', method: 'POST' }],
    ['methods', { path: '/method', method: ['PUT', 'DELETE'] }],
    ['header', { path: '/h', headers: { 'X-Beta': 'true' } }],
    ['header-prefix', { path: '/h', headers: { 'x-beta': { prefix: 'pre' } } }],
    ['header-regex', { path: '/h', headers: { 'x-beta': { regex: '^r[0-9]+$' } } }],
    [
      'header-absent',
      { path: '/h', headers: { 'x-beta': { present: false }, 'x-other': { present: true } } },
    ],
    ['cookie', { path: '/c', cookies: { plan: 'pro' } }],
    ['cookie-present', { path: '/c', cookies: { beta: { present: true } } }],
    ['query', { path: '/q', query: { v: '2' } }],
    ['query-present', { path: '/q', query: { debug: { present: true } } }],
    ['from', { path: '/from', from: '127.0.0.0/8' }],
    ['from-elsewhere', { path: '/elsewhere', from: ['10.0.0.0/8', '::1'] }],
  ] as const
).map(([name, match]) => ({
  name,
  match: match as ListenerInput['routes'][number]['match'],
  reply: { status: 200, body: name },
}));

type Row = readonly [request: string, expected: string, lines?: readonly string[]];

const TABLE: readonly Row[] = [
  ['GET exact.test/', 'host'],
  ['GET EXACT.test/', 'host'],
  ['GET exact.test:8080/', 'host'],
  ['GET exact.test./', 'host or 404'],
  ['GET notexact.test/', '404'],
  ['GET sub.exact.test/', '404'],
  ['GET a.wild.test/', 'wildcard'],
  ['GET a.b.wild.test/', 'wildcard'],
  ['GET wild.test/', '404'],
  ['GET xwild.test/', '404'],
  ['GET one.test/', 'hosts'],
  ['GET two.test/', 'hosts'],
  ['GET both.test/only', 'host-and-path'],
  ['GET both.test/only/x', 'host-and-path'],
  ['GET both.test/other', '404'],
  ['GET z.test/only/x', '404'],
  ['GET z.test/login', 'exact'],
  ['GET z.test/login?next=/', 'exact'],
  ['GET z.test/login/', '404'],
  ['GET z.test/Login', '404'],
  ['GET z.test/loginx', '404'],
  ['GET z.test/api', 'prefix'],
  ['GET z.test/api/', 'prefix'],
  ['GET z.test/api/a/b', 'prefix'],
  ['GET z.test/apis', '404'],
  ['GET z.test/x/../api/a', 'prefix'],
  ['GET z.test/%61pi/a', 'prefix'],
  ['GET z.test/p1', 'paths'],
  ['GET z.test/p1/x', '404'],
  ['GET z.test/p2/x', 'paths'],
  ['GET z.test/first/second/x', 'first'],
  ['GET z.test/first/secondx', 'second'],
  ['GET z.test/first', 'second'],
  ['POST z.test/method', 'method'],
  ['PUT z.test/method', 'methods'],
  ['DELETE z.test/method', 'methods'],
  ['GET z.test/method', '404'],
  ['GET z.test/h', 'header', ['x-beta: true']],
  ['GET z.test/h', 'header', ['X-BETA: true']],
  ['GET z.test/h', '404', ['x-beta: True']],
  ['GET z.test/h', 'header-prefix', ['x-beta: prefix']],
  ['GET z.test/h', 'header-regex', ['x-beta: r42']],
  ['GET z.test/h', '404', ['x-beta: xr42']],
  ['GET z.test/h', 'header-absent', ['x-other: 1']],
  ['GET z.test/h', '404'],
  ['GET z.test/c', 'cookie', ['Cookie: a=b; plan=pro']],
  ['GET z.test/c', '404', ['Cookie: xplan=pro']],
  ['GET z.test/c', '404', ['Cookie: plan=pro2']],
  ['GET z.test/c', 'cookie-present', ['Cookie: beta=']],
  ['GET z.test/q?v=2', 'query'],
  ['GET z.test/q?a=1&v=2', 'query'],
  ['GET z.test/q?v=22', '404'],
  ['GET z.test/q?xv=2', '404'],
  ['GET z.test/q?debug', 'query-present'],
  ['GET z.test/q?debug=1', 'query-present'],
  ['GET z.test/q', '404'],
  ['GET z.test/from', 'from'],
  ['GET z.test/elsewhere', '404'],
  ['GET z.test/nowhere', '404'],
];

describe('routes', () => {
  let pointsman: Pointsman;
  beforeAll(async () => {
    pointsman = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: ROUTES }],
    });
  });
  afterAll(async () => {
    await pointsman.stop();
  });

  for (const [request, expected, lines = []] of TABLE) {
    test.concurrent(`${[request, ...lines].join(' + ')} -> ${expected}`, async () => {
      const [, method = '', host = '', target = ''] = /^(\S+) ([^/]+)(\S+)$/.exec(request) ?? [];
      const answer = await ask(
        pointsman.address(),
        [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n'),
      );
      const got = answer.status === 200 ? answer.body.toString() : `${answer.status}`;
      expect(expected.split(' or ')).toContain(got);
    });
  }

  test.concurrent('no route says so', async () => {
    const answer = await ask(pointsman.address(), 'GET /nowhere HTTP/1.1\r\nHost: z.test\r\n\r\n');
    expect(answer.status).toBe(404);
    expect(valueOf(answer, 'proxy-status')).toMatch(/destination_not_found/);
  });
});
