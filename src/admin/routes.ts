import { positiveDuration } from '../config/schema/units.ts';
import type { Readiness } from '../model/runtime-view.ts';
import { ENDPOINT_ROUTES } from './endpoint-routes.ts';
import { reportListener } from './listener-report.ts';
import { readiness, readinessWithPools } from './readiness.ts';
import { respondError, respondJson, respondText } from './respond.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import { reportStatus } from './status-report.ts';

function answerReady({ state, query, trusted }: AdminRequest): Response {
  const strict = query.get('pools') === '1';
  const { ready, reasons }: Readiness = strict ? readinessWithPools(state) : readiness(state);
  // Reasons name pools, which are nobody's business without the token.
  return respondJson(trusted ? { ready, reasons } : { ready }, ready ? 200 : 503);
}

/** Status of a reload that was refused. */
const RELOAD_STATUS = { config: 422, apply: 409, 'no-file': 409, stopping: 503 } as const;

async function answerReload({ state }: AdminRequest): Promise<Response> {
  const result = await state.control.reload();
  return respondJson(result, result.outcome === 'applied' ? 200 : RELOAD_STATUS[result.reason]);
}

/** Status of an upgrade that was refused. */
const UPGRADE_STATUS = { failed: 502, busy: 409, unsupported: 501, stopping: 503 } as const;

async function answerUpgrade({ state, query, by }: AdminRequest): Promise<Response> {
  const timeout = positiveDuration.optional().safeParse(query.get('timeout') ?? undefined);
  if (!timeout.success) return respondError('invalid_request', 'timeout: write a duration such as 30s');
  const result = await state.upgrades.upgrade(by, timeout.data);
  return respondJson(result, result.outcome === 'upgraded' ? 200 : UPGRADE_STATUS[result.reason]);
}

async function answerMetrics({ state, headers }: AdminRequest): Promise<Response> {
  const { contentType, body } = await state.metrics(headers.get('accept') ?? '');
  return respondText(body, contentType);
}

function answerIndex(): Response {
  const lines = ADMIN_ROUTES.map(
    ({ method, path, summary }) => `${method.padEnd(6)} ${path.padEnd(40)} ${summary}`,
  );
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
  {
    method: 'GET',
    path: '/api/v1/status',
    summary: 'Version, revision, uptime.',
    answer: ({ state }) => respondJson(reportStatus(state)),
  },
  ...ENDPOINT_ROUTES,
  {
    method: 'GET',
    path: '/api/v1/listeners',
    summary: 'Listeners with their connections, requests and failures.',
    answer: ({ state }) => respondJson({ listeners: state.view.listeners().map(reportListener) }),
  },
  {
    method: 'POST',
    path: '/api/v1/reload',
    summary: 'Reads the configuration again: all of it comes into force, or nothing.',
    answer: answerReload,
  },
  {
    method: 'POST',
    path: '/api/v1/upgrade',
    summary: 'Replaces the running program by the one on disk. ?timeout=30s: until it must be ready.',
    answer: answerUpgrade,
  },
];
