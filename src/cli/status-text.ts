import type { EndpointReport, PoolReport } from '../admin/pool-report.ts';
import type { StatusReport, WorkerReport } from '../admin/status-report.ts';
import { stateReason, stateWord } from './endpoint-text.ts';
import { counted } from './issues.ts';
import { styled } from './terminal.ts';

type Style = Parameters<typeof styled>[0];

const HEAD = ['POOL/ENDPOINT', 'STATE', 'REASON', 'IN FLIGHT', 'REQ/S', 'P99'] as const;
/** Columns of figures, which are aligned at their end. */
const FIGURES = 3;

const WORKER_HEAD = ['WORKER', 'STATE', 'UP', 'CONNECTIONS', 'RESTARTS', 'PID'] as const;
const WORKER_FIGURES = 3;

interface Row {
  readonly cells: readonly string[];
  readonly style: Style | undefined;
}

/** `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function poolRow(pool: PoolReport): Row {
  const { panic, available, total, queued } = pool;
  const reason = [`${available} of ${total} available`];
  if (queued > 0) reason.push(`${counted(queued, 'request')} queued`);
  const requestsPerSecond = pool.endpoints.reduce(
    (sum, { lastMinute }) => sum + lastMinute.requestsPerSecond,
    0,
  );
  const cells = [pool.name, panic ? 'panic' : '', reason.join(', ')];
  return {
    cells: [...cells, String(pool.active), requestsPerSecond.toFixed(1), ''],
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

/** Rows with aligned columns; the last `figures` of them are numbers. */
function table(rows: readonly Row[], figures: number, color: boolean): string[] {
  const columns = rows[0]!.cells;
  const widths = columns.map((_, column) => Math.max(...rows.map(({ cells }) => cells[column]!.length)));
  return rows.map(({ cells, style }) => {
    const padded = cells.map((cell, column) =>
      column < columns.length - figures ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    // Only the name and the state have colour, so that a long reason stays readable.
    const front = padded.slice(0, 2).join('  ');
    const back = padded.slice(2).join('  ');
    return `${style === undefined ? front : styled(style, front, color)}  ${back}`.trimEnd();
  });
}

/** What `pointsman status` prints. */
export function statusText(status: StatusReport, pools: readonly PoolReport[], color: boolean): string {
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
  if (status.runtimeChanges > 0) {
    lines.push('', `${counted(status.runtimeChanges, 'change')} at run time: see pointsman changes`);
  }
  return `${lines.join('\n')}\n`;
}
