import type { WorkerView } from '../model/runtime-view.ts';
import type { Metric, MetricsSource, SampleSink } from './metric.ts';
import { residentBytes } from './resident-memory.ts';

function processMetric(
  name: string,
  type: 'counter' | 'gauge',
  labels: readonly string[],
  help: string,
  write: (source: MetricsSource, sink: SampleSink) => void,
): Metric {
  return {
    name,
    type,
    labels,
    help,
    *collect(source, sink) {
      write(source, sink);
      yield;
    },
  };
}

function plain(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (source: MetricsSource) => number,
): Metric {
  return processMetric(name, type, [], help, (source, sink) => sink.value([], read(source)));
}

function sumOf(workers: readonly WorkerView[], read: (worker: WorkerView) => number): number {
  return workers.reduce((sum, worker) => sum + read(worker), 0);
}

/** Metrics of Pointsman as a whole. */
export const PROCESS_METRICS: readonly Metric[] = [
  processMetric(
    'pointsman_build_info',
    'gauge',
    ['version', 'runtime'],
    'Always 1; the labels say what runs.',
    ({ view }, sink) => sink.value([view.version, `bun ${Bun.version}`], 1),
  ),
  plain(
    'pointsman_config_revision',
    'gauge',
    'Number of the snapshot in force; every applied change of the configuration adds one.',
    ({ view }) => view.revision(),
  ),
  plain(
    'pointsman_ready',
    'gauge',
    '1 when every listener is bound and shutdown has not begun, as /readyz says.',
    ({ view }) => (view.readiness().ready ? 1 : 0),
  ),
  plain(
    'pointsman_start_time_seconds',
    'gauge',
    'Unix time of the start.',
    ({ view }) => view.startWallMs / 1000,
  ),
  plain(
    'pointsman_uptime_seconds',
    'gauge',
    'Time since the start.',
    ({ view, clock }) => (clock.wallMs() - view.startWallMs) / 1000,
  ),
  processMetric(
    'pointsman_cpu_seconds_total',
    'counter',
    ['mode'],
    'CPU time used by the supervisor and all workers, by mode: user or system.',
    ({ view }, sink) => {
      const usage = process.cpuUsage();
      const workers = view.workers();
      sink.value(['user'], usage.user / 1e6 + sumOf(workers, ({ userCpuSeconds }) => userCpuSeconds));
      sink.value(['system'], usage.system / 1e6 + sumOf(workers, ({ systemCpuSeconds }) => systemCpuSeconds));
    },
  ),
  plain(
    'pointsman_resident_memory_bytes',
    'gauge',
    'Memory of the supervisor and all workers that is resident.',
    ({ view }) => residentBytes() + sumOf(view.workers(), (worker) => worker.residentBytes),
  ),
  plain(
    'pointsman_event_loop_lag_seconds',
    'gauge',
    'Longest delay of a timer in the last 10 to 20 seconds, in the supervisor or any worker.',
    ({ view, eventLoopLagMs }) =>
      Math.max(eventLoopLagMs(), ...view.workers().map((worker) => worker.eventLoopLagMs)) / 1000,
  ),
  plain(
    'pointsman_access_log_lines_total',
    'counter',
    'Requests taken down in the access log, those whose lines were lost included.',
    ({ accessLog }) => accessLog?.lines ?? 0,
  ),
  plain(
    'pointsman_access_log_dropped_lines_total',
    'counter',
    'Lines of the access log that were lost because its destination was slow, full or gone.',
    ({ accessLog }) => accessLog?.droppedLines ?? 0,
  ),
];
