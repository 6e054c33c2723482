import type { WorkerView } from '../model/runtime-view.ts';
import type { Metric, SampleSink } from './metric.ts';

function workerMetric(
  name: string,
  type: 'counter' | 'gauge',
  extraLabels: readonly string[],
  help: string,
  write: (worker: WorkerView, labels: readonly string[], sink: SampleSink) => void,
): Metric {
  return {
    name,
    type,
    labels: ['worker', ...extraLabels],
    help,
    *collect({ view }, sink) {
      for (const worker of view.workers()) yield write(worker, [String(worker.worker)], sink);
    },
  };
}

function perWorker(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (worker: WorkerView) => number,
): Metric {
  return workerMetric(name, type, [], help, (worker, labels, sink) => sink.value(labels, read(worker)));
}

/** Metrics of workers: the processes that carry traffic, by number from 1. */
export const WORKER_METRICS: readonly Metric[] = [
  perWorker('pointsman_worker_up', 'gauge', '1 when the worker accepts connections.', ({ state }) =>
    state === 'ready' ? 1 : 0,
  ),
  perWorker(
    'pointsman_worker_restarts_total',
    'counter',
    'Processes that died in this place and were replaced.',
    ({ restarts }) => restarts,
  ),
  perWorker(
    'pointsman_worker_stuck_seconds',
    'gauge',
    'How long the worker has not answered the supervisor; 0 when it does.',
    ({ stuckSeconds }) => stuckSeconds,
  ),
  perWorker(
    'pointsman_worker_covered',
    'gauge',
    '1 while another worker accepts connections for this one, which is away or does not answer.',
    ({ coveredBy }) => (coveredBy === undefined ? 0 : 1),
  ),
  perWorker(
    'pointsman_worker_open_connections',
    'gauge',
    'Client connections of the worker open now.',
    ({ connections }) => connections,
  ),
  workerMetric(
    'pointsman_worker_cpu_seconds_total',
    'counter',
    ['mode'],
    'CPU time used by the worker, by mode: user or system.',
    (worker, labels, sink) => {
      sink.value([...labels, 'user'], worker.userCpuSeconds);
      sink.value([...labels, 'system'], worker.systemCpuSeconds);
    },
  ),
  perWorker(
    'pointsman_worker_resident_memory_bytes',
    'gauge',
    'Memory of the worker that is resident.',
    ({ residentBytes }) => residentBytes,
  ),
  perWorker(
    'pointsman_worker_event_loop_lag_seconds',
    'gauge',
    'Longest delay of a timer of the worker in the last 10 to 20 seconds. Its traffic waited as long.',
    ({ eventLoopLagMs }) => eventLoopLagMs / 1000,
  ),
];
