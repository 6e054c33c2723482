import { growth, MEASURES, ratioToBetter } from './compare.ts';
import type { Machine } from './machine.ts';
import type { PacedResult } from './paced-load.ts';
import type { CaseResult, ScenarioResult } from './results.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** Everything that one run of the bench found out. */
export interface Report {
  readonly command: string;
  readonly machine: Machine;
  /** `name version` of everything that took part. */
  readonly versions: readonly string[];
  readonly scenarios: readonly ScenarioResult[];
}

type Row = readonly string[];

const HEAD: Row = ['case', 'proxy', 'CPU/request', 'requests/s', 'p50', 'p99', 'memory', 'errors'];

/** Where and how the figures were taken, in one paragraph. */
export function describeRun(report: Report): string {
  const { machine } = report;
  return [
    `\`${report.command}\`, ${machine.date}.`,
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB; ${machine.system}, Linux ${machine.kernel},`,
    `TCP congestion control ${machine.congestionControl}; load of the machine before: ${machine.loadBefore.toFixed(2)}.`,
    `${report.versions.join(', ')}.`,
  ].join(' ');
}

/** The tables of one scenario, as Markdown that is readable as text. */
export function describeScenario(scenario: ScenarioResult): string {
  const cases = [...new Set(scenario.results.map((result) => result.title))];
  const inCase = (title: string) => scenario.results.filter((result) => result.title === title);
  const rows = cases.flatMap((title) => inCase(title).map(caseRow));
  const parts = [scenario.about, table(HEAD, rows)];
  const ratios = cases.flatMap((title) => {
    const spreads = MEASURES.map((measure) => ratioToBetter(inCase(title), measure));
    return spreads.some((spread) => spread === undefined) ? [] : [[title, ...spreads.map(spreadInWords)]];
  });
  if (ratios.length > 0) {
    const head = ['Pointsman / better of the others', ...MEASURES.map((measure) => measure.title)];
    parts.push(table(head, ratios));
  }
  parts.push(...remarks(scenario, cases));
  return parts.join('\n\n');
}

function caseRow(result: CaseResult): Row {
  const median = (of: (sample: CaseResult['samples'][number]) => number) =>
    spreadOf(result.samples.map(of)).median;
  return [
    result.title,
    result.proxy,
    `${median((sample) => sample.cpuUs).toFixed(2)} us`,
    String(Math.round(median((sample) => sample.perSecond))),
    inMilliseconds(median((sample) => sample.p50Us)),
    inMilliseconds(median((sample) => sample.p99Us)),
    `${(result.memoryBytes / 1024 ** 2).toFixed(0)} MiB`,
    String(result.samples.reduce((sum, sample) => sum + sample.errors, 0)),
  ];
}

/** What the table cannot show: growth between cases, idle connections, the generator's own lateness, what disturbed the run. */
function remarks(scenario: ScenarioResult, cases: readonly string[]): string[] {
  const lines: string[] = [];
  const [first, last] = [cases[0], cases.at(-1)];
  for (const from of scenario.results.filter((result) => result.title === first)) {
    const to = scenario.results.find((result) => result.title === last && result.proxy === from.proxy);
    if (to === undefined || to === from || !comparable(scenario)) continue;
    lines.push(`- ${from.proxy}: CPU a request, "${last}" / "${first}": ${spreadInWords(growth(from, to))}`);
  }
  for (const { proxy, idle } of scenario.results) {
    if (idle === undefined) continue;
    const kib = (idle.bytesPerConnection / 1024).toFixed(1);
    lines.push(
      `- ${proxy}: ${idle.held} idle connections, ${kib} KiB each; open at the end: ${idle.openAtEnd}`,
    );
  }
  for (const { proxy, samples } of scenario.results) {
    const late = samples.flatMap((sample) =>
      'lateP99Us' in sample ? [(sample as PacedLike).lateP99Us] : [],
    );
    if (late.length === 0) continue;
    lines.push(`- ${proxy}: the generator itself was late by ${inMilliseconds(spreadOf(late).median)} (p99)`);
  }
  const foreign = scenario.results.flatMap(({ samples }) => samples.map((sample) => sample.foreignCores));
  const { median, max } = spreadOf(foreign);
  lines.push(`- Others used ${median.toFixed(2)} cores meanwhile (at most ${max.toFixed(2)})`);
  return [lines.join('\n')];
}

type PacedLike = Pick<PacedResult, 'lateP99Us'>;

/** Only cases that carry the same requests tell growth. */
function comparable(scenario: ScenarioResult): boolean {
  return scenario.name === 'routes' || scenario.name === 'idle-connections';
}

function spreadInWords(spread: Spread | undefined): string {
  if (spread === undefined) return '';
  return `${spread.median.toFixed(2)} (${spread.min.toFixed(2)} to ${spread.max.toFixed(2)})`;
}

function inMilliseconds(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}

function table(head: Row, rows: readonly Row[]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: Row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
