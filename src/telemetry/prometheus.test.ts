import { describe, expect, test } from 'bun:test';

import { setCounts } from '../../test/support/set-counts.ts';
import { SampleRuntime } from '../../test/support/sample-runtime.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { FAILURES } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { cumulativeCounts, LATENCY_BOUNDS_SECONDS } from './histogram.ts';
import { METRICS } from './metrics.ts';
import { exposeMetrics } from './prometheus.ts';
import { TransitionCounters } from './transition-counters.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

/** Reads an exposition and throws at the first line that is not exactly as the format wants it. */
function parse(text: string, openMetrics = false): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const lines = text.slice(0, -1).split('\n');
  if (openMetrics && lines.pop() !== '# EOF') throw new Error('no EOF');
  let name = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const help = /^# HELP ([a-z0-9_]+) ((?:[^\\\n]|\\[\\n])+)$/.exec(line);
    if (help !== null) {
      name = help[1]!;
      const type = /^# TYPE ([a-z0-9_]+) (counter|gauge|histogram)$/.exec(lines[++i]!);
      if (type?.[1] !== name) throw new Error(`no TYPE after ${line}`);
      if (families.has(name)) throw new Error(`${name} twice`);
      families.set(name, { help: help[2]!, type: type[2]!, samples: [] });
      continue;
    }
    const sample =
      /^([a-z0-9_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(
        line,
      );
    if (sample === null) throw new Error(`not a sample: ${line}`);
    const family = families.get(name)!;
    const suffixes =
      family.type === 'histogram'
        ? ['_bucket', '_sum', '_count']
        : [openMetrics && family.type === 'counter' ? '_total' : ''];
    if (!suffixes.some((suffix) => sample[1] === name + suffix)) throw new Error(`${line} is not of ${name}`);
    if (seen.has(line.slice(0, line.lastIndexOf(' ')))) throw new Error(`series twice: ${line}`);
    seen.add(line.slice(0, line.lastIndexOf(' ')));
    const labels: Record<string, string> = {};
    for (const [, label, value] of (sample[2] ?? '').matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g))
      labels[label!] = value!.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    family.samples.push({ name: sample[1]!, labels, value: Number(sample[3]) });
  }
  return families;
}

interface Scene {
  readonly clock: FakeClock;
  readonly runtime: SampleRuntime;
  readonly web: Pool;
  readonly a: Endpoint;
  readonly b: Endpoint;
  readonly scrape: (accept?: string) => Promise<{ contentType: string; body: string }>;
  /** Value of the one sample that has these labels. */
  readonly value: (name: string, labels?: Record<string, string>) => Promise<number | undefined>;
}

function setUp(): Scene & { transitions: TransitionCounters } {
  const clock = new FakeClock();
  const runtime = new SampleRuntime();
  const web = runtime.addPool('web', ['10.0.0.1:80', { address: '[::1]:80', name: 'b', weight: 3 }]);
  const transitions = new TransitionCounters();
  const scrape = (accept = '') =>
    exposeMetrics(
      {
        view: runtime,
        clock,
        transitions,
        eventLoopLagMs: () => 12.5,
        accessLog: { lines: 10, droppedLines: 2 },
      },
      accept,
    );
  return {
    clock,
    runtime,
    web,
    a: web.view.all[0]!,
    b: web.view.all[1]!,
    transitions,
    scrape,
    async value(name, labels = {}) {
      const { body } = await scrape();
      const family = parse(body).get(name) ?? parse(body).get(name.replace(/_(bucket|sum|count)$/, ''));
      const wanted = JSON.stringify(Object.entries(labels));
      return family?.samples.find(
        (s) => s.name === name && JSON.stringify(Object.entries(s.labels)) === wanted,
      )?.value;
    },
  };
}

describe('METRICS', () => {
  test('names have a prefix, a unit where there is one, and counters alone end in _total', () => {
    for (const { name, type, labels, help } of METRICS) {
      expect(name).toMatch(/^pointsman_[a-z0-9]+(_[a-z0-9]+)*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toEndWith('_seconds');
      expect(labels.every((label) => /^[a-z]+$/.test(label) && label !== 'le')).toBe(true);
      expect(help).toMatch(/^[^\n]+\.$/);
    }
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
  });

  for (const openMetrics of [false, true]) {
    test(`is what is written, in its order, with its types and labels${openMetrics ? ' (OpenMetrics)' : ''}`, async () => {
      const { runtime, scrape } = setUp();
      runtime.addListener('http', ['web']).nameRoutes(() => ['all']);
      runtime.addWorker();
      const { body, contentType } = await scrape(openMetrics ? 'application/openmetrics-text' : 'text/plain');
      expect(contentType).toStartWith(
        openMetrics ? 'application/openmetrics-text; version=1.0.0;' : 'text/plain; version=0.0.4;',
      );
      const families = [...parse(body, openMetrics)];
      const name = (metric: (typeof METRICS)[number]) =>
        openMetrics ? metric.name.replace(/_total$/, '') : metric.name;
      expect(families.map(([family, { type, help }]) => [family, type, help])).toEqual(
        METRICS.map((metric) => [name(metric), metric.type, metric.help]),
      );
      for (const [i, [, { samples }]] of families.entries()) {
        expect(samples.length).toBeGreaterThan(0);
        for (const { labels, name } of samples)
          expect(Object.keys(labels)).toEqual([
            ...METRICS[i]!.labels,
            ...(name.endsWith('_bucket') ? ['le'] : []),
          ]);
      }
    });
  }

  test('series are there from the start, at 0', async () => {
    const { runtime, scrape } = setUp();
    runtime.addListener('http', ['web']);
    const families = parse((await scrape()).body);
    const failures = families.get('pointsman_listener_failures_total')!.samples;
    expect(failures.map(({ labels }) => labels['code'])).toEqual(Object.keys(FAILURES));
    for (const [name, { type, samples }] of families) {
      if (type === 'gauge' || /cpu|access_log/.test(name)) continue;
      expect(samples.map(({ value }) => value).every((value) => value === 0)).toBe(true);
    }
  });
});

describe('the process', () => {
  test('says what it is and how it does', async () => {
    const { clock, runtime, value } = setUp();
    clock.advance(90_000);
    expect(await value('pointsman_build_info', { version: '1.2.3', runtime: `bun ${Bun.version}` })).toBe(1);
    expect(await value('pointsman_config_revision')).toBe(7);
    expect(await value('pointsman_start_time_seconds')).toBe(1_700_000_000);
    expect(await value('pointsman_uptime_seconds')).toBe(90);
    expect(await value('pointsman_event_loop_lag_seconds')).toBe(0.0125);
    expect(await value('pointsman_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(await value('pointsman_cpu_seconds_total', { mode: 'user' })).toBeGreaterThan(0);
    expect(await value('pointsman_access_log_lines_total')).toBe(10);
    expect(await value('pointsman_access_log_dropped_lines_total')).toBe(2);
    expect(await value('pointsman_ready')).toBe(1);
    runtime.state = { ready: false, reasons: ['shutting down'] };
    expect(await value('pointsman_ready')).toBe(0);
  });
});

describe('listeners', () => {
  test('give their counters', async () => {
    const { runtime, value } = setUp();
    const stats = runtime.addListener('http', ['web']);
    Object.assign(stats, {
      connectionsTotal: 10,
      connectionsRejected: 1,
    });
    Object.assign(stats, { requests: 50, bytesIn: 5000, bytesOut: 1e12 });
    stats.statuses[0] = 4;
    stats.statuses[5] = 6;
    stats.connections.set(3);
    stats.tunnels.set(2);
    stats.countFailure('no_route');
    stats.countFailure('no_route');
    const listener = 'http';
    expect(await value('pointsman_listener_open_connections', { listener })).toBe(3);
    expect(await value('pointsman_listener_connections_total', { listener })).toBe(10);
    expect(await value('pointsman_listener_connections_rejected_total', { listener })).toBe(1);
    expect(await value('pointsman_listener_open_tunnels', { listener })).toBe(2);
    expect(await value('pointsman_listener_requests_total', { listener })).toBe(50);
    expect(await value('pointsman_listener_received_bytes_total', { listener })).toBe(5000);
    expect(await value('pointsman_listener_sent_bytes_total', { listener })).toBe(1e12);
    expect(await value('pointsman_listener_responses_total', { listener, code: 'none' })).toBe(4);
    expect(await value('pointsman_listener_responses_total', { listener, code: '5xx' })).toBe(6);
    expect(await value('pointsman_listener_failures_total', { listener, code: 'no_route' })).toBe(2);
    expect(await value('pointsman_listener_failures_total', { listener, code: 'deadline' })).toBe(0);
  });

  test('ten thousand routes are no more than 201 series, and no request is lost', async () => {
    const { runtime, scrape } = setUp();
    const stats = runtime.addListener('http', ['web']);
    const names = Array.from({ length: 10_000 }, (_, i) => `routes[${i}]`);
    stats.nameRoutes(() => names);
    for (const route of names.keys()) stats.countRoute(route);
    const { samples } = parse((await scrape()).body).get('pointsman_route_requests_total')!;
    expect(samples).toHaveLength(201);
    expect(samples.at(-1)).toMatchObject({ labels: { route: '_other' }, value: 9800 });
  });

  test('routes of the same name are one series', async () => {
    const { runtime, value } = setUp();
    const stats = runtime.addListener('http', []);
    stats.nameRoutes(() => ['a', 'a']);
    for (const route of [0, 0, 1, 1]) stats.countRoute(route);
    expect(await value('pointsman_route_requests_total', { listener: 'http', route: 'a' })).toBe(4);
  });
});

describe('pools', () => {
  test('give their counters', async () => {
    const { web, a, value } = setUp();
    const pool = 'web';
    setCounts(web.counts, { activeRequests: 5, activeRetries: 1, queued: 4 });
    Object.assign(web.stats, {
      requests: 9,
      retries: 3,
      retriesDenied: 2,
      queueFull: 6,
      queueTimeouts: 7,
      noEndpoint: 8,
    });
    web.view = { ...web.view, available: [a], panic: true };
    expect(await value('pointsman_pool_active_requests', { pool })).toBe(5);
    expect(await value('pointsman_pool_active_retries', { pool })).toBe(1);
    expect(await value('pointsman_pool_queued_requests', { pool })).toBe(4);
    expect(await value('pointsman_pool_requests_total', { pool })).toBe(9);
    expect(await value('pointsman_pool_retries_total', { pool })).toBe(3);
    expect(await value('pointsman_pool_retries_denied_total', { pool })).toBe(2);
    expect(await value('pointsman_pool_queue_rejections_total', { pool, reason: 'full' })).toBe(6);
    expect(await value('pointsman_pool_queue_rejections_total', { pool, reason: 'timeout' })).toBe(7);
    expect(await value('pointsman_pool_no_endpoint_total', { pool })).toBe(8);
    expect(await value('pointsman_pool_endpoints', { pool })).toBe(2);
    expect(await value('pointsman_pool_available_endpoints', { pool })).toBe(1);
    expect(await value('pointsman_pool_panic', { pool })).toBe(1);
  });
});

describe('endpoints', () => {
  test('give their counters', async () => {
    const { runtime, web, b, transitions, value } = setUp();
    const labels = { pool: 'web', endpoint: 'b' };
    Object.assign(b.stats, { requests: 20, errors: 2, retries: 1, bytesOut: 300, bytesIn: 4000 });
    Object.assign(b.stats, { connectionsOpened: 6, connectionsReused: 14, connectFailures: 3 });
    b.stats.statuses[2] = 17;
    b.stats.grpcStatuses[14] = 3;
    b.counts.inFlight.set(4);
    b.effectiveWeight = 1.5;
    runtime.idle.set(b, 5);
    for (const kind of ['ejected', 'readmitted', 'ejected'] as const)
      transitions.onTransition({ pool: web, endpoint: b, kind, reason: '' });
    expect(await value('pointsman_endpoint_requests_total', labels)).toBe(20);
    expect(await value('pointsman_endpoint_errors_total', labels)).toBe(2);
    expect(await value('pointsman_endpoint_retries_total', labels)).toBe(1);
    expect(await value('pointsman_endpoint_sent_bytes_total', labels)).toBe(300);
    expect(await value('pointsman_endpoint_received_bytes_total', labels)).toBe(4000);
    expect(await value('pointsman_endpoint_connections_opened_total', labels)).toBe(6);
    expect(await value('pointsman_endpoint_connections_reused_total', labels)).toBe(14);
    expect(await value('pointsman_endpoint_connect_failures_total', labels)).toBe(3);
    expect(await value('pointsman_endpoint_connections_idle', labels)).toBe(5);
    expect(await value('pointsman_endpoint_in_flight', labels)).toBe(4);
    expect(await value('pointsman_endpoint_effective_weight', labels)).toBe(1.5);
    expect(await value('pointsman_endpoint_responses_total', { ...labels, code: '2xx' })).toBe(17);
    const grpc = (code: string) => value('pointsman_endpoint_grpc_responses_total', { ...labels, code });
    expect([await grpc('ok'), await grpc('unavailable'), await grpc('internal')]).toEqual([0, 3, undefined]);
    expect(await value('pointsman_endpoint_transitions_total', { ...labels, kind: 'ejected' })).toBe(2);
    expect(await value('pointsman_endpoint_transitions_total', { ...labels, kind: 'unhealthy' })).toBe(0);
    expect(await value('pointsman_endpoint_requests_total', { pool: 'web', endpoint: '10.0.0.1:80' })).toBe(
      0,
    );
  });

  const changes: [string, Partial<Endpoint>, up: number][] = [
    ['open', {}, 1],
    ['open', { health: 'healthy' }, 1],
    ['draining', { admin: 'draining' }, 1],
    ['unhealthy', { health: 'unhealthy' }, 0],
    ['unhealthy', { health: 'unhealthy', admin: 'draining', ejectedUntilMs: 10 }, 0],
    ['ejected', { ejectedUntilMs: 10 }, 0],
    ['ejected', { ejectedUntilMs: 10, admin: 'draining' }, 0],
    ['disabled', { admin: 'disabled', health: 'unhealthy', ejectedUntilMs: 10 }, 0],
  ];
  test.each(changes)('are in one state: %s with %p', async (state, change, up) => {
    const { a, scrape, value } = setUp();
    Object.assign(a, change);
    const samples = parse((await scrape()).body)
      .get('pointsman_endpoint_state')!
      .samples.filter(({ labels }) => labels['endpoint'] === a.name);
    expect(samples.filter(({ value }) => value === 1).map(({ labels }) => labels['state'])).toEqual([state]);
    expect(samples).toHaveLength(5);
    expect(await value('pointsman_endpoint_up', { pool: 'web', endpoint: a.name })).toBe(up);
  });
});

describe('histograms', () => {
  test('are cumulative, end in +Inf, and agree with sum and count', async () => {
    const { a, scrape, value } = setUp();
    for (const ms of [0.2, 0.7, 3, 3, 40, 900, 20_000, 100_000]) a.stats.latency.record(ms);
    const labels = { pool: 'web', endpoint: a.name };
    const buckets = parse((await scrape()).body)
      .get('pointsman_endpoint_request_duration_seconds')!
      .samples.filter((s) => s.name.endsWith('_bucket') && s.labels['endpoint'] === a.name);
    expect(buckets.map((s) => [s.labels['le'], s.value])).toEqual([
      ['0.0005', 1],
      ['0.001', 2],
      ['0.0025', 2],
      ['0.005', 4],
      ['0.01', 4],
      ['0.025', 4],
      ['0.05', 5],
      ['0.1', 5],
      ['0.25', 5],
      ['0.5', 5],
      ['1', 6],
      ['2.5', 6],
      ['5', 6],
      ['10', 6],
      ['30', 7],
      ['60', 7],
      ['+Inf', 8],
    ]);
    expect(await value('pointsman_endpoint_request_duration_seconds_count', labels)).toBe(8);
    expect(await value('pointsman_endpoint_request_duration_seconds_sum', labels)).toBeCloseTo(120.9469, 6);
  });

  test('a value lies on the right side of a bound when it is 3.2 % away from it', () => {
    const { a } = setUp();
    for (const [i, bound] of LATENCY_BOUNDS_SECONDS.entries()) {
      const { latency } = a.stats;
      latency.counts.fill(0);
      latency.record(bound * 1000 * 0.968);
      expect(cumulativeCounts(latency)[i]).toBe(1);
      latency.record(bound * 1000 * 1.033);
      expect(cumulativeCounts(latency)[i]).toBe(1);
    }
  });
});

describe('negotiation', () => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
    'text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
  test.each([
    [prometheus, true],
    ['application/openmetrics-text', true],
    ['text/plain;q=0.5, application/openmetrics-text;q=0.1', false],
    ['application/openmetrics-text;q=0', false],
    ['*/*', false],
    ['', false],
    ['q=1;;;,,application/openmetrics-text;q=x', false],
  ])('%s', async (accept, openMetrics) => {
    const { contentType } = await setUp().scrape(accept);
    expect(contentType.startsWith('application/openmetrics-text')).toBe(openMetrics);
  });
});

test('label values are escaped', async () => {
  const { runtime, scrape } = setUp();
  runtime.addListener('http', []).nameRoutes(() => ['a"b\\c\nd']);
  const { body } = await scrape();
  expect(body).toContain('pointsman_route_requests_total{listener="http",route="a\\"b\\\\c\\nd"} 0\n');
  expect(parse(body).get('pointsman_route_requests_total')!.samples[0]!.labels['route']).toBe('a"b\\c\nd');
});
