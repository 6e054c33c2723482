import type { EndpointReport, PoolReport } from '../admin/pool-report.ts';
import type { StatusReport, WorkerReport } from '../admin/status-report.ts';
import { listed } from '../config/suggest.ts';
import { stateReason, stateWord } from './endpoint-text.ts';
import { counted } from './issues.ts';
import { type Row, type Style, table } from './table.ts';

const HEAD = ['POOL/ENDPOINT', 'STATE', 'REASON', 'IN FLIGHT', 'REQ/S', 'ERRORS', 'P99'] as const;
/** Columns of figures, which are aligned at their end. */
const FIGURES = 4;

const WORKER_HEAD = ['WORKER', 'STATE', 'UP', 'CONNECTIONS', 'RESTARTS', 'PID'] as const;
const WORKER_FIGURES = 3;

/** `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Share of what failed in the last minute: `0 %`, `12 %`; `<1 %` where there is little, `-` where nothing came. */
function errorsText(windows: readonly EndpointReport['lastMinute'][]): string {
  const requests = windows.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
  const errors = windows.reduce((sum, window) => sum + window.requestsPerSecond * window.errorRate, 0);
  if (requests === 0) return '-';
  const percent = (100 * errors) / requests;
  return percent > 0 && percent < 1 ? '<1 %' : `${Math.round(percent)} %`;
}

function poolRow(pool: PoolReport): Row {
  const { panic, available, total, queued, endpoints } = pool;
  const open = endpoints.filter((endpoint) => stateWord(endpoint) === 'open').length;
  const reason = [
    panic ? `${open} of ${total} open, ${available} used` : `${available} of ${total} available`,
  ];
  if (queued > 0) reason.push(`${counted(queued, 'request')} queued`);
  const requestsPerSecond = pool.endpoints.reduce(
    (sum, { lastMinute }) => sum + lastMinute.requestsPerSecond,
    0,
  );
  const cells = [pool.name, panic ? 'panic' : '', reason.join(', ')];
  return {
    cells: [
      ...cells,
      String(pool.active),
      requestsPerSecond.toFixed(1),
      errorsText(pool.endpoints.map(({ lastMinute }) => lastMinute)),
      '',
    ],
    style: panic || available === 0 ? 'red' : 'bold',
  };
}

function endpointRow(endpoint: EndpointReport): Row {
  const { active, lastMinute } = endpoint;
  const word = stateWord(endpoint);
  const p99 = lastMinute.p99Ms === 0 ? '-' : `${lastMinute.p99Ms.toFixed(1)} ms`;
  return {
    cells: [
      `  ${endpoint.name}`,
      word,
      stateReason(endpoint),
      String(active),
      lastMinute.requestsPerSecond.toFixed(1),
      errorsText([lastMinute]),
      p99,
    ],
    style: STYLE_OF.get(word),
  };
}

const STYLE_OF = new Map<string, Style>([
  ['open', 'green'],
  ['ejected', 'red'],
  ['unhealthy', 'red'],
  ['draining', 'yellow'],
  ['disabled', 'yellow'],
  ['full', 'yellow'],
]);

function workerRow({
  worker,
  state,
  pid,
  upSeconds,
  restarts,
  stuckSeconds,
  coveredBy,
  connections,
}: WorkerReport): Row {
  const word = stuckSeconds > 0 ? `no answer for ${stuckSeconds} s` : state;
  const covered = coveredBy === null ? word : `${word}, covered by ${coveredBy}`;
  const cells = [String(worker), covered, pid === null ? '-' : durationText(upSeconds)];
  return {
    cells: [...cells, String(connections), String(restarts), pid === null ? '-' : String(pid)],
    style: word === 'ready' ? 'green' : 'red',
  };
}

/** A certificate in force, and what shows it. */
export interface ShownCertificate {
  readonly names: readonly string[];
  readonly kind: string;
  readonly listener: string;
  /** ISO 8601. */
  readonly notAfter: string;
  /** Until then, negative when it is past. */
  readonly secondsLeft: number;
}

const CERTIFICATE_HEAD = ['CERTIFICATE', 'EXPIRES', 'LEFT', 'KEY', 'LISTENER'] as const;
/** As long before its end `check` and the log warn too. */
const SOON_SECONDS = 14 * 86_400;

function certificateRow({ names, kind, listener, notAfter, secondsLeft }: ShownCertificate): Row {
  const left = secondsLeft <= 0 ? 'expired' : durationText(secondsLeft);
  return {
    cells: [listed(names, 3), notAfter.slice(0, 10), left, kind, listener],
    style: secondsLeft <= 0 ? 'red' : secondsLeft <= SOON_SECONDS ? 'yellow' : 'green',
  };
}

const FAILING_HEAD = ['NO NEW CERTIFICATE', 'NEXT ATTEMPT', 'REASON'] as const;

function failingRow({ names, nextAttempt, error }: StatusReport['automaticCertificates'][number]): Row {
  const at = nextAttempt.replace(/\.\d+Z$/, 'Z');
  return { cells: [listed(names, 3), at, error ?? ''], style: 'red' };
}

/** What `pointsman status` prints. */
export function statusText(
  status: StatusReport,
  pools: readonly PoolReport[],
  certificates: readonly ShownCertificate[],
  color: boolean,
): string {
  const ready = status.ready ? 'ready' : `not ready (${status.reasons.join(', ')})`;
  const lines = [
    `Pointsman ${status.version}, revision ${status.revision}, up ${durationText(status.uptimeSeconds)}, ${ready}`,
    '',
  ];
  const rows: Row[] = [{ cells: HEAD, style: undefined }];
  for (const pool of pools) rows.push(poolRow(pool), ...pool.endpoints.map(endpointRow));
  lines.push(...table(rows, FIGURES, color), '');
  const workers = [{ cells: WORKER_HEAD, style: undefined }, ...status.workers.map(workerRow)];
  lines.push(...table(workers, WORKER_FIGURES, color));
  if (certificates.length > 0) {
    const rows = [{ cells: CERTIFICATE_HEAD, style: undefined }, ...certificates.map(certificateRow)];
    lines.push('', ...table(rows, 0, color));
  }
  const failing = status.automaticCertificates.filter(({ failures }) => failures > 0);
  if (failing.length > 0) {
    const rows = [{ cells: FAILING_HEAD, style: undefined }, ...failing.map(failingRow)];
    lines.push('', ...table(rows, 0, color));
  }
  if (status.runtimeChanges > 0) {
    lines.push('', `${counted(status.runtimeChanges, 'change')} at run time: see pointsman changes`);
  }
  return `${lines.join('\n')}\n`;
}
