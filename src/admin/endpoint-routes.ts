import { z } from 'zod';

import { explain } from '../config/explain.ts';
import type { Problem } from '../config/issue.ts';
import {
  endpoint as endpointSchema,
  endpointState,
  endpointWeight,
  type EndpointConfig,
} from '../config/schema/pool.ts';
import { positiveDuration } from '../config/schema/units.ts';
import { didYouMean } from '../config/suggest.ts';
import type { ControlRefusal, RuntimeChange } from '../model/endpoint-control.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { currentEtag, refuseStale } from './etag.ts';
import { reportEndpoint, reportPool } from './pool-report.ts';
import { respondError, respondJson, respondNothing, respondProblems } from './respond.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import type { AdminState } from './state.ts';

/** Body of PATCH. */
const changeSchema = z.strictObject({
  state: endpointState.optional(),
  weight: endpointWeight.optional(),
  deadline: positiveDuration.optional(),
});

/** Query of DELETE. */
const removalSchema = z.strictObject({
  force: z.enum(['0', '1']).optional(),
  deadline: positiveDuration.optional(),
});

/** What a request says, or everything that is wrong with it. */
function read<T>(schema: z.ZodType<T>, value: unknown): { readonly value: T } | Response {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const problems: Problem[] = [];
  explain(schema, value, [], problems);
  return respondProblems(problems);
}

function refused({ code, message }: ControlRefusal): Response {
  return respondError(code, message);
}

function unknown(
  what: 'pool' | 'endpoint',
  name: string,
  known: readonly { readonly name: string }[],
): Response {
  const names = known.map((one) => one.name);
  const hint = didYouMean(name, names, `${what}s`);
  const message = `there is no ${what} ${JSON.stringify(name)}`;
  return respondError('not_found', hint === undefined ? message : `${message}; ${hint}`);
}

function findPool({ state, pool: name }: AdminRequest): Pool | Response {
  const pools = state.view.pools();
  return pools.find((pool) => pool.name === name) ?? unknown('pool', name, pools);
}

function findEndpoint({ endpoint: name }: AdminRequest, pool: Pool): Endpoint | Response {
  return pool.view.all.find((endpoint) => endpoint.name === name) ?? unknown('endpoint', name, pool.view.all);
}

/** Gives the whole pool or one endpoint of it, with the tag under which it may be changed. */
function withTag(
  state: AdminState,
  value: unknown,
  status = 200,
  fields: Record<string, string> = {},
): Response {
  return respondJson(value, status, { etag: currentEtag(state), ...fields });
}

function answerPool(request: AdminRequest): Response {
  const pool = findPool(request);
  return pool instanceof Response ? pool : withTag(request.state, reportPool(pool, request.state));
}

function answerEndpoint(request: AdminRequest): Response {
  const pool = findPool(request);
  if (pool instanceof Response) return pool;
  const endpoint = findEndpoint(request, pool);
  return endpoint instanceof Response
    ? endpoint
    : withTag(request.state, reportEndpoint(pool, endpoint, request.state));
}

function changeEndpoint(request: AdminRequest): Response {
  const { state, headers, pool, endpoint, by, body } = request;
  const change = read(changeSchema, body);
  if (change instanceof Response) return change;
  const { value } = change;
  if (Object.values(value).every((part) => part === undefined)) {
    return respondError('invalid_request', 'Nothing is to be changed: send state, weight or deadline.');
  }
  const stale = refuseStale(headers, state);
  if (stale !== undefined) return stale;
  const { deadline: deadlineMs, ...rest } = value;
  const refusal = state.endpoints.change(
    pool,
    endpoint,
    { ...definedOnly(rest), ...(deadlineMs === undefined ? {} : { deadlineMs }) },
    by,
  );
  return refusal === undefined ? answerEndpoint(request) : refused(refusal);
}

function definedOnly<T extends object>(value: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as never;
}

function addEndpoint(request: AdminRequest): Response {
  const { state, headers, pool, by, body } = request;
  const endpoint: { readonly value: EndpointConfig } | Response = read(endpointSchema, body);
  if (endpoint instanceof Response) return endpoint;
  const stale = refuseStale(headers, state);
  if (stale !== undefined) return stale;
  const refusal = state.endpoints.add(pool, endpoint.value, by);
  if (refusal !== undefined) return refused(refusal);
  const { name } = endpoint.value;
  const found = findPool(request);
  if (found instanceof Response) return found;
  const added = findEndpoint({ ...request, endpoint: name }, found);
  if (added instanceof Response) return added;
  const location = `/api/v1/pools/${encodeURIComponent(pool)}/endpoints/${encodeURIComponent(name)}`;
  return withTag(state, reportEndpoint(found, added, state), 201, { location });
}

function removeEndpoint(request: AdminRequest): Response {
  const { state, headers, pool, endpoint, by, query } = request;
  const removal = read(removalSchema, Object.fromEntries(query));
  if (removal instanceof Response) return removal;
  const stale = refuseStale(headers, state);
  if (stale !== undefined) return stale;
  const { force, deadline: deadlineMs } = removal.value;
  const refusal = state.endpoints.remove(pool, endpoint, { force: force === '1', deadlineMs }, by);
  if (refusal !== undefined) return refused(refusal);
  const found = findPool(request);
  if (found instanceof Response) return found;
  const leaving = found.view.all.find(({ name }) => name === endpoint);
  return leaving === undefined
    ? respondNothing({ etag: currentEtag(state) })
    : withTag(state, reportEndpoint(found, leaving, state), 202);
}

/** What GET /api/v1/changes says. */
export interface ChangesReport {
  readonly changes: readonly (Omit<RuntimeChange, 'sinceWallMs'> & { readonly since: string })[];
}

function answerChanges({ state }: AdminRequest): Response {
  const changes = state.endpoints.changes().map(({ pool, endpoint, kind, value, file, by, sinceWallMs }) => {
    const since = new Date(sinceWallMs).toISOString();
    return { pool, endpoint, kind, value, file, by, since };
  });
  return withTag(state, { changes } satisfies ChangesReport);
}

function discardChanges({ state, headers, by }: AdminRequest): Response {
  return refuseStale(headers, state) ?? withTag(state, { discarded: state.endpoints.discard(by) });
}

async function saveChanges({ state, headers, by }: AdminRequest): Promise<Response> {
  const stale = refuseStale(headers, state);
  if (stale !== undefined) return stale;
  const result = await state.control.saveChanges(by);
  return result.outcome === 'saved'
    ? withTag(state, { saved: result.count, file: result.file })
    : respondError('conflict', result.message);
}

/** Pools and their endpoints: seen, and changed at run time. */
export const ENDPOINT_ROUTES: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/api/v1/pools',
    summary: 'Pools with their endpoints.',
    answer: ({ state }) =>
      withTag(state, { pools: state.view.pools().map((pool) => reportPool(pool, state)) }),
  },
  { method: 'GET', path: '/api/v1/pools/:pool', summary: 'One pool.', answer: answerPool },
  {
    method: 'POST',
    path: '/api/v1/pools/:pool/endpoints',
    summary: 'Adds an endpoint: {"address": "10.0.0.1:3000", "weight": 2} and all that the file may say.',
    takesBody: true,
    answer: addEndpoint,
  },
  {
    method: 'GET',
    path: '/api/v1/pools/:pool/endpoints/:endpoint',
    summary: 'One endpoint.',
    answer: answerEndpoint,
  },
  {
    method: 'PATCH',
    path: '/api/v1/pools/:pool/endpoints/:endpoint',
    summary: 'Changes it: {"state": "draining", "deadline": "60s", "weight": 2}.',
    takesBody: true,
    answer: changeEndpoint,
  },
  {
    method: 'DELETE',
    path: '/api/v1/pools/:pool/endpoints/:endpoint',
    summary: 'Drains it; it leaves when empty, or at ?deadline=60s, or at once with ?force=1.',
    answer: removeEndpoint,
  },
  {
    method: 'GET',
    path: '/api/v1/changes',
    summary: 'What was changed at run time and is not in the configuration.',
    answer: answerChanges,
  },
  {
    method: 'DELETE',
    path: '/api/v1/changes',
    summary: 'Discards them: back to what the configuration says.',
    answer: discardChanges,
  },
  {
    method: 'POST',
    path: '/api/v1/changes/save',
    summary: 'Writes them into the configuration file, which is then reloaded.',
    answer: saveChanges,
  },
];
