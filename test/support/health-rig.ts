import { pool as poolSchema } from '../../src/config/schema/pool.ts';
import { type HealthDeps, HealthMonitor } from '../../src/health/health-monitor.ts';
import { availability, Endpoint } from '../../src/model/endpoint.ts';
import { Pool } from '../../src/model/pool.ts';
import type { Log, LogFields, Transition } from '../../src/model/ports.ts';
import type { Connection } from '../../src/net/connection.ts';
import { connectDatagrams } from '../../src/net/datagrams.ts';
import type { dial } from '../../src/net/dial.ts';
import { OutlierDetector } from '../../src/health/outlier-detector.ts';
import { resolveHost } from '../../src/net/resolve.ts';
import { TimerWheel } from '../../src/net/timer-wheel.ts';
import { tlsHandshake } from '../../src/net/tls-handshake.ts';
import type { Clock } from '../../src/util/clock.ts';
import { FakeClock } from '../../src/util/fake-clock.ts';

/** How long a scripted dial takes. */
export const DIAL_MS = 1;

/** A pool as it would be written in a file. */
export function healthPool(spec: Readonly<Record<string, unknown>>): Pool {
  const config = poolSchema.parse({ name: 'web', ...spec });
  const all = config.endpoints.map((endpoint) => {
    const made = new Endpoint(config.name, endpoint);
    made.health = config.healthCheck?.initial ?? 'unknown';
    return made;
  });
  return new Pool(config, { all, available: all, picker: { pick: () => all[0] }, panic: false });
}

/** Replaces the configuration as a reload does; endpoints are kept by name. */
export function reloadPool(pool: Pool, spec: Readonly<Record<string, unknown>>): void {
  const fresh = healthPool(spec);
  const all = fresh.view.all.map((endpoint) => {
    const kept = pool.view.all.find((other) => other.name === endpoint.name);
    if (kept !== undefined) kept.config = endpoint.config;
    return kept ?? endpoint;
  });
  pool.config = fresh.config;
  pool.view = { ...pool.view, all, available: all };
}

/** What the monitor told of, in order. `published` holds who was open when the listener heard of a transition. */
class HealthRecord {
  readonly transitions: string[] = [];
  readonly published: string[] = [];
  readonly logged: string[] = [];
  readonly #clock: Clock;
  #view = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(pool: Pool): void {
    const nowMs = this.#clock.nowMs();
    const open = pool.view.all.filter((endpoint) => availability(endpoint, nowMs) === 'open');
    this.#view = open.map((endpoint) => endpoint.config.address.port).join(',');
  }

  onTransition({ endpoint, kind, reason }: Transition): void {
    this.transitions.push(`${endpoint.config.address.port} ${kind}: ${reason}`);
    this.published.push(this.#view);
  }

  readonly log: Log = {
    debug: (event, fields) => this.#logged('debug', event, fields),
    info: (event, fields) => this.#logged('info', event, fields),
    warn: (event, fields) => this.#logged('warn', event, fields),
    error: (event, fields) => this.#logged('error', event, fields),
  };

  #logged(level: string, event: string, fields: LogFields = {}): void {
    this.logged.push(`${level} ${event} ${String(fields['endpoint'])} ${String(fields['reason'])}`);
  }
}

/** A monitor on a clock that moves when told, whose dials are answered from a table by port. */
export class HealthRig {
  readonly clock = new FakeClock();
  readonly record = new HealthRecord(this.clock);
  /** Ports that refuse, or never answer. All others accept. */
  readonly refusing = new Set<number>();
  readonly silent = new Set<number>();
  /** ... or cannot be dialled at all, for want of descriptors. */
  exhausted = false;
  /** Whether endpoints are reached by connections. */
  connects = true;
  /** Every dial: when it began and to which port. */
  readonly dials: { atMs: number; port: number }[] = [];
  /** Dials that are under way, by port. */
  readonly underWay = new Map<number, number>();
  /** The most dials to one port at a time. */
  mostUnderWay = 0;
  readonly monitor: HealthMonitor;
  /** To be told of attempts that ended. */
  readonly observer: OutlierDetector;

  constructor(random = 0.5) {
    this.monitor = new HealthMonitor(this.deps(random));
    this.observer = new OutlierDetector(this.clock, this.monitor);
  }

  deps(random: number): HealthDeps {
    return {
      clock: this.clock,
      random: { next: () => random },
      wheel: new TimerWheel(),
      dialOf: () => this.#dial,
      connectsTo: () => this.connects,
      resolve: resolveHost,
      connectDatagrams,
      tlsHandshake,
      publisher: this.record,
      transitions: {
        onTransition: (transition) => {
          if (transition.kind === 'ejected') this.observer.forgive(transition.endpoint);
          this.record.onTransition(transition);
        },
      },
      log: this.record.log,
    };
  }

  readonly #dial: typeof dial = (_wheel, _host, port, timeoutMs, dialler) => {
    this.dials.push({ atMs: this.clock.nowMs(), port });
    const now = (this.underWay.get(port) ?? 0) + 1;
    this.underWay.set(port, now);
    this.mostUnderWay = Math.max(this.mostUnderWay, now);
    const over = (): void => {
      this.underWay.set(port, this.underWay.get(port)! - 1);
    };
    const silent = this.silent.has(port);
    const cancel = this.clock.after(silent ? timeoutMs : DIAL_MS, () => {
      over();
      if (this.exhausted) dialler.onDialFailed('no_descriptor', 'EMFILE');
      else if (silent) dialler.onDialFailed('connect_timeout', 'ETIMEDOUT');
      else if (this.refusing.has(port)) dialler.onDialFailed('connect_refused', 'ECONNREFUSED');
      else dialler.onConnected({ close() {} } as unknown as Connection);
    });
    return () => {
      over();
      cancel();
    };
  };

  /** Times at which a port was dialled. */
  dialsTo(port: number): number[] {
    return this.dials.filter((dialled) => dialled.port === port).map(({ atMs }) => atMs);
  }
}
