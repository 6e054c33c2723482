import type { LatencySketch } from '../model/latency-sketch.ts';
import { cumulativeCounts, LATENCY_BOUNDS_SECONDS } from './histogram.ts';
import type { Metric, MetricsSource, SampleSink } from './metric.ts';
import { METRICS } from './metrics.ts';

/** Traffic is let through when writing has taken this long. */
const SLICE_MS = 2;

/** The body of a scrape with its media type. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Every metric in the text format of Prometheus 0.0.4, or in OpenMetrics 1.0 when `accept` (the header of the request)
 * prefers it. The two differ in the names of counters in comments, in the spelling of bounds, and in the last line.
 */
export async function exposeMetrics(source: MetricsSource, accept: string): Promise<Exposition> {
  const openMetrics = prefersOpenMetrics(accept);
  const writer = new ExpositionWriter(openMetrics);
  let sliceEndsMs = source.clock.nowMs() + SLICE_MS;
  for (const metric of METRICS) {
    writer.begin(metric);
    for (const _ of metric.collect(source, writer)) {
      if (source.clock.nowMs() < sliceEndsMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceEndsMs = source.clock.nowMs() + SLICE_MS;
    }
  }
  return {
    contentType: openMetrics
      ? 'application/openmetrics-text; version=1.0.0; charset=utf-8'
      : 'text/plain; version=0.0.4; charset=utf-8',
    body: writer.end(),
  };
}

/** Whether the Accept header (RFC 9110 section 12.5.1) ranks OpenMetrics at least as high as plain text. */
function prefersOpenMetrics(accept: string): boolean {
  let openMetrics = 0;
  let plain = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const rank = quality === undefined ? 1 : Number(quality.slice(2)) || 0;
    if (type === 'application/openmetrics-text') openMetrics = Math.max(openMetrics, rank);
    if (type === 'text/plain') plain = Math.max(plain, rank);
  }
  return openMetrics > 0 && openMetrics >= plain;
}

class ExpositionWriter implements SampleSink {
  readonly #openMetrics: boolean;
  #text = '';
  #name = '';
  #labels: readonly string[] = [];

  constructor(openMetrics: boolean) {
    this.#openMetrics = openMetrics;
  }

  begin(metric: Metric): void {
    this.#name = metric.name;
    this.#labels = metric.labels;
    const family =
      this.#openMetrics && metric.type === 'counter' ? metric.name.slice(0, -'_total'.length) : metric.name;
    this.#text += `# HELP ${family} ${metric.help.replace(/[\\\n]/g, escapeCharacter)}\n# TYPE ${family} ${metric.type}\n`;
  }

  value(labels: readonly string[], value: number): void {
    this.#sample('', this.#pairs(labels), value);
  }

  histogram(labels: readonly string[], sketch: LatencySketch): void {
    const pairs = this.#pairs(labels);
    const counts = cumulativeCounts(sketch);
    for (let i = 0; i < counts.length; i++)
      this.#sample('_bucket', `${pairs},le="${this.#bound(LATENCY_BOUNDS_SECONDS[i])}"`, counts[i]!);
    this.#sample('_sum', pairs, sketch.sumMs / 1000);
    this.#sample('_count', pairs, counts.at(-1)!);
  }

  end(): string {
    return this.#openMetrics ? `${this.#text}# EOF\n` : this.#text;
  }

  #sample(suffix: string, pairs: string, value: number): void {
    this.#text +=
      pairs === '' ? `${this.#name}${suffix} ${value}\n` : `${this.#name}${suffix}{${pairs}} ${value}\n`;
  }

  #pairs(values: readonly string[]): string {
    let text = '';
    for (let i = 0; i < this.#labels.length; i++)
      text += `${i === 0 ? '' : ','}${this.#labels[i]!}="${escapeLabel(values[i]!)}"`;
    return text;
  }

  #bound(seconds: number | undefined): string {
    if (seconds === undefined) return '+Inf';
    return this.#openMetrics && Number.isInteger(seconds) ? `${seconds}.0` : String(seconds);
  }
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
