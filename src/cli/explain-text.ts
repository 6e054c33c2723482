import type { CandidateExplanation } from '../balancer/explain.ts';
import type { RouteVerdict } from '../l7/router.ts';
import type { Decision, Result } from './explain-decision.ts';
import type { PoolDecision } from './explain-pool.ts';
import { styled } from './terminal.ts';

const LABEL_WIDTH = 10;
/** Routes and candidates that are listed one by one; `--json` has all. */
const LISTED = 40;

function rows(label: string, lines: readonly string[]): string {
  return lines
    .map((line, index) => `${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

/** Keeps the part around the one that is marked, and says how much was left out. */
function excerpt(lines: readonly string[], marked: number): string[] {
  if (lines.length <= LISTED) return [...lines];
  const start = Math.max(0, Math.min(marked - LISTED / 2, lines.length - LISTED));
  const end = start + LISTED;
  return [
    ...(start > 0 ? [`  ... ${start} before, see --json`] : []),
    ...lines.slice(start, end),
    ...(end < lines.length ? [`  ... ${lines.length - end} more, see --json`] : []),
  ];
}

function verdictText(verdict: RouteVerdict): string {
  if (verdict.kind === 'chosen') return 'chosen: everything that it wants holds';
  if (verdict.kind === 'not-reached') return 'not reached: an earlier one was chosen';
  return `no: ${verdict.subject} is ${verdict.sees}, wanted is ${verdict.wants}`;
}

function routeRows({ routes }: Decision, color: boolean): string {
  const width = Math.max(0, ...routes.map(({ route }) => route.length));
  const marked = routes.findIndex(({ verdict }) => verdict.kind === 'chosen');
  const lines = routes.map(({ route, verdict }) => {
    const line = `${verdict.kind === 'chosen' ? '*' : ' '} ${route.padEnd(width)}  ${verdictText(verdict)}`;
    return verdict.kind === 'chosen' ? styled('bold', line, color) : line;
  });
  return rows('routes', excerpt(lines, marked < 0 ? lines.length : marked));
}

function number(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function candidateText(candidate: CandidateExplanation, width: number): string {
  const { endpoint, availability, weight, inFlight, score, reason, chosen } = candidate;
  const judged = score === undefined ? reason : `score ${number(score)} (${reason})`;
  return `${chosen ? '*' : ' '} ${endpoint.padEnd(width)}  ${availability}, weight ${number(weight)}, ${inFlight} in flight: ${judged}`;
}

function poolRows(pool: PoolDecision): string {
  const about = [`${pool.name}, policy ${pool.policy}${pool.panic ? ', in panic: health is ignored' : ''}`];
  if (pool.hash !== undefined) {
    const { key, value } = pool.hash;
    about.push(`hashes ${key}: ${value ?? 'the request has none, so it goes without'}`);
  }
  if (pool.affinity !== undefined) {
    const { cookie, bound } = pool.affinity;
    about.push(`affinity by the cookie ${cookie}: ${bound === null ? 'not bound' : `bound to ${bound}`}`);
  }
  const width = Math.max(...pool.candidates.map(({ endpoint }) => endpoint.length));
  const lines = pool.candidates.map((candidate) => candidateText(candidate, width));
  const marked = pool.candidates.findIndex(({ chosen }) => chosen);
  return rows('pool', [...about, ...excerpt(lines, marked)]);
}

function resultRows(result: Result, isSession: boolean, color: boolean): string {
  const say = (text: string, style: 'green' | 'red' | 'bold') => rows('result', [styled(style, text, color)]);
  if (result.kind === 'reply') return say(`answer ${result.status} by the ${result.by}`, 'bold');
  if (result.kind === 'tls-ended')
    return say('the listener ends TLS; ask again with a method and a URL for what follows', 'bold');
  if (result.kind === 'redirect') return say(`redirect ${result.status} to ${result.location}`, 'bold');
  if (result.kind === 'refused') {
    const asked = result.serverName === '' ? 'a client that names none' : result.serverName;
    return say(`the handshake fails (${result.reason}): there is no certificate for ${asked}`, 'red');
  }
  if (result.kind === 'queue')
    return say(
      `waits in the queue (${result.size} places) for ${result.timeoutMs} ms at most: all are full`,
      'bold',
    );
  if (result.kind === 'failure') {
    const status = isSession ? '' : `${result.status} `;
    return say(`${status}${result.code}: ${result.meaning}`, 'red');
  }
  const address = result.address === result.endpoint ? '' : ` (${result.address})`;
  const place = say(`endpoint ${result.endpoint}${address}: ${result.because}`, 'green');
  return place + rows('sends', result.sends);
}

/** A decision, for people. */
export function decisionText(decision: Decision, color: boolean): string {
  const { listener, client, tls, request, filters, split, pool, result } = decision;
  const parts = [rows('listener', [`${listener.name} (${listener.address})`])];
  if (tls !== undefined) {
    const asked = tls.serverName === '' ? 'no name asked for' : `${tls.serverName} asked for`;
    parts.push(rows('tls', [`${asked}, the certificate of ${tls.certificate.join(', ')} shown`]));
  }
  if (request !== undefined) {
    const { method, host, path, query, clientIp } = request;
    parts.push(rows('request', [`${method} ${path}${query} for ${host || 'no host'} from ${clientIp}`]));
  }
  if (client !== undefined) parts.push(rows('client', [client]));
  if (decision.routes.length > 0) parts.push(routeRows(decision, color));
  if (filters.length > 0) {
    const lines = filters.map(({ filter, effect }) => `${filter}: ${effect}`);
    parts.push(rows('filters', lines));
  }
  if (split !== undefined) {
    const lines = split.map(
      (arm) => `${arm.pool === pool?.name ? '*' : ' '} ${arm.pool}  ${number(arm.percent)} %`,
    );
    parts.push(rows('split', lines));
  }
  if (pool !== undefined) parts.push(poolRows(pool));
  parts.push(resultRows(result, client !== undefined, color));
  return parts.join('');
}
