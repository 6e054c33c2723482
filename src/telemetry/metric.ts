import type { LatencySketch } from '../model/latency-sketch.ts';
import type { RuntimeView } from '../model/runtime-view.ts';
import type { Clock } from '../util/clock.ts';
import type { TransitionCounters } from './transition-counters.ts';

/** What metrics are made from. */
export interface MetricsSource {
  readonly view: RuntimeView;
  readonly clock: Clock;
  readonly transitions: TransitionCounters;
  /** Largest delay of the event loop in the last 10 to 20 seconds. */
  readonly eventLoopLagMs: () => number;
  /** Counters of the access log; undefined when there is none. */
  readonly accessLog: { readonly lines: number; readonly droppedLines: number } | undefined;
}

/** Takes the samples of one metric; label values in the order of `Metric.labels`. */
export interface SampleSink {
  value(labels: readonly string[], value: number): void;
  /** For metrics of type `histogram`. */
  histogram(labels: readonly string[], sketch: LatencySketch): void;
}

/** One metric: what the reference says of it and how it is read. */
export interface Metric {
  /** With unit; counters end in `_total`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Writes the samples; yields between two things, so that traffic is let through when there are many. */
  collect(source: MetricsSource, sink: SampleSink): Iterable<void>;
}
