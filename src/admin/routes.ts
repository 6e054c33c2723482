import type { Readiness } from '../model/runtime-view.ts';
import { reportListener } from './listener-report.ts';
import { reportPool } from './pool-report.ts';
import { readiness, readinessWithPools } from './readiness.ts';
import { wallTime } from './report-values.ts';
import { respondError, respondJson, respondText } from './respond.ts';
import type { AdminRequest, AdminRoute } from './route.ts';

function answerReady({ state, query, trusted }: AdminRequest): Response {
  const strict = query.get('pools') === '1';
  const { ready, reasons }: Readiness = strict ? readinessWithPools(state) : readiness(state);
  // Reasons name pools, which are nobody's business without the token.
  return respondJson(trusted ? { ready, reasons } : { ready }, ready ? 200 : 503);
}

function answerStatus({ state: { view, clock } }: AdminRequest): Response {
  const uptimeMs = clock.wallMs() - view.startWallMs;
  return respondJson({
    version: view.version,
    runtime: `bun ${Bun.version}`,
    pid: process.pid,
    revision: view.revision(),
    startedAt: wallTime(clock, clock.nowMs() - uptimeMs),
    uptimeSeconds: uptimeMs / 1000,
    ...view.readiness(),
    listeners: view.listeners().length,
    pools: view.pools().length,
  });
}

function answerPool({ state, name }: AdminRequest): Response {
  const pool = state.view.pools().find((pool) => pool.name === name);
  return pool === undefined
    ? respondError('not_found', `There is no pool ${JSON.stringify(name)}.`)
    : respondJson(reportPool(pool, state));
}

async function answerMetrics({ state, headers }: AdminRequest): Promise<Response> {
  const { contentType, body } = await state.metrics(headers.get('accept') ?? '');
  return respondText(body, contentType);
}

function answerIndex(): Response {
  const lines = ADMIN_ROUTES.map(({ method, path, summary }) => `${method} ${path.padEnd(22)} ${summary}`);
  return respondText(`Pointsman admin\n\n${lines.join('\n')}\n`);
}

/** Everything that the admin API does. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  { method: 'GET', path: '/', summary: 'This list.', answer: answerIndex },
  {
    method: 'GET',
    path: '/healthz',
    summary: 'The process is alive.',
    open: true,
    answer: () => respondText('ok\n'),
  },
  {
    method: 'GET',
    path: '/readyz',
    summary: 'Send traffic here: 200 or 503. ?pools=1: and every pool in use has a usable endpoint.',
    open: true,
    answer: answerReady,
  },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'For Prometheus; OpenMetrics when Accept prefers it.',
    answer: answerMetrics,
  },
  { method: 'GET', path: '/api/v1/status', summary: 'Version, revision, uptime.', answer: answerStatus },
  {
    method: 'GET',
    path: '/api/v1/pools',
    summary: 'Pools with their endpoints.',
    answer: ({ state }) => respondJson({ pools: state.view.pools().map((pool) => reportPool(pool, state)) }),
  },
  { method: 'GET', path: '/api/v1/pools/:name', summary: 'One pool.', answer: answerPool },
  {
    method: 'GET',
    path: '/api/v1/listeners',
    summary: 'Listeners with their connections, requests and failures.',
    answer: ({ state }) => respondJson({ listeners: state.view.listeners().map(reportListener) }),
  },
];
