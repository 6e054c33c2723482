import type { Metric } from '../../src/telemetry/metric.ts';
import { METRICS } from '../../src/telemetry/metrics.ts';
import { GENERATED, table } from './markdown.ts';

const INTRODUCTION = `# Metrics

\`GET /metrics\` of the admin listener gives these metrics in the text format of Prometheus, or as OpenMetrics when \`Accept\`
prefers it. Names and labels are permanent: they are never renamed and never used for something else.

- Times are in seconds, sizes in bytes. Counters end in \`_total\` and count from the start of the process.
- A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
- Names of listeners, routes, pools and endpoints are those of the configuration; nothing that a client sends becomes a label.
`;

/** Headings by how the names of the metrics below them begin; the last one takes the rest. */
const HEADINGS: readonly (readonly [prefix: string, heading: string])[] = [
  ['pointsman_listener_', 'Listeners'],
  ['pointsman_route_', 'Routes'],
  ['pointsman_pool_', 'Pools'],
  ['pointsman_endpoint_', 'Endpoints'],
  ['', 'The process'],
];

function prefixOf({ name }: Metric): string {
  return HEADINGS.find(([prefix]) => name.startsWith(prefix))![0];
}

/** docs/reference/metrics.md */
export function metricsReference(): string {
  let page = GENERATED + INTRODUCTION;
  for (const [prefix, heading] of HEADINGS) {
    const rows = METRICS.filter((metric) => prefixOf(metric) === prefix).map(
      ({ name, type, labels, help }) => [
        `\`${name}\``,
        type,
        labels.map((label) => `\`${label}\``).join(', '),
        help,
      ],
    );
    page += `\n## ${heading}\n\n${table(['Metric', 'Type', 'Labels', 'Meaning'], rows)}`;
  }
  return page;
}
