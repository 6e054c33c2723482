import type { LoadResult } from '../config/load.ts';
import { filesOf } from '../config/named-files.ts';
import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';
import type { RuntimeView } from '../model/runtime-view.ts';
import { resolveHost } from '../net/resolve.ts';
import { usesDescriptors } from '../net/sockets.ts';
import { EventLoopLag } from '../telemetry/event-loop-lag.ts';
import { exposeMetrics } from '../telemetry/prometheus.ts';
import { TrafficWindows } from '../telemetry/traffic-windows.ts';
import type { TransitionCounters } from '../telemetry/transition-counters.ts';
import type { Clock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import manifest from '../../package.json' with { type: 'json' };
import { AdminInterface } from './admin-interface.ts';
import { AutomaticCertificates, withStoredCertificates } from './automatic-certificates.ts';
import { CertificateExpiry } from './certificate-expiry.ts';
import { ConfigWatch } from './config-watch.ts';
import type { ControlPlane } from './control-plane.ts';
import { RuntimeEndpoints } from './runtime-endpoints.ts';
import { EndpointNames } from './endpoint-names.ts';
import { type Inheritance, INHERITANCE_FORMAT } from './inheritance.ts';
import { ReadinessState } from './readiness.ts';
import { Reloader } from './reloader.ts';
import type { ServiceManager } from './service-manager.ts';
import { Upgrader } from './upgrader.ts';

/** What the parts are made with. */
export interface PartsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly startWallMs: number;
  readonly transitions: TransitionCounters;
  readonly service: ServiceManager;
  /** The configuration; undefined when it came from the command line. */
  readonly file: { readonly path: string; readonly load: () => Promise<LoadResult> } | undefined;
  /** Of the process that this one takes over from. */
  readonly inheritance: Inheritance | undefined;
}

/** Everything that runs beside the control plane. `run.ts` says when each begins and ends. */
export interface SupervisorParts {
  /** Changes of endpoints at run time. */
  readonly endpoints: RuntimeEndpoints;
  /** Certificates from an ACME server. */
  readonly certificates: AutomaticCertificates;
  readonly names: EndpointNames;
  readonly reloader: Reloader;
  readonly upgrader: Upgrader;
  readonly readiness: ReadinessState;
  readonly windows: TrafficWindows;
  readonly lag: EventLoopLag;
  readonly admin: AdminInterface;
  /** Undefined when nobody wants the files to be watched. */
  readonly watch: ConfigWatch | undefined;
  readonly expiry: CertificateExpiry;
}

/** Makes the parts of a supervisor and says who knows whom. Nothing is started. */
export function supervisorParts(
  plane: ControlPlane,
  config: Config,
  { clock, log, startWallMs, transitions, service, file, inheritance }: PartsOptions,
): SupervisorParts {
  const endpoints = new RuntimeEndpoints(
    config,
    {
      pools: () => plane.view.pools(),
      updatePool: (pool) => plane.updatePool(pool),
      closeSessions: (endpoint) => plane.closeSessions(endpoint),
      transitions,
      clock,
      log,
    },
    inheritance,
  );
  const names = new EndpointNames(resolveHost, log);
  const certificates = new AutomaticCertificates({
    clock,
    random: systemRandom,
    log,
    renewed: () => reloader.renew(withStoredCertificates),
  });
  const reloader = new Reloader(config, {
    plane,
    endpoints,
    load: file?.load,
    path: file?.path,
    log,
    service,
    applied: (applied) => {
      certificates.follow(applied);
      void names.look(applied);
    },
  });
  const upgrader = new Upgrader({
    clock,
    log,
    obstacle: upgradeObstacle(),
    hold: (reason) => {
      endpoints.hold(reason);
      return reloader.hold(reason);
    },
    inheritance: () => {
      const { state, descriptors } = plane.handOver();
      const inherits = {
        format: INHERITANCE_FORMAT,
        ...state,
        ...endpoints.handOver(),
        adminPort: admin.port,
      };
      return { inheritance: inherits, descriptors };
    },
  });
  const readiness = new ReadinessState(() => plane.view.obstacles());
  const windows = new TrafficWindows({
    clock,
    endpoints: () => {
      plane.view.gather();
      return plane.view.pools().flatMap((pool) => pool.view.all);
    },
  });
  const lag = new EventLoopLag(clock);
  const view: RuntimeView = {
    version: manifest.version,
    startWallMs,
    revision: () => plane.revision,
    readiness: () => readiness.now(),
    workers: () => plane.view.workers(),
    pools: () => plane.view.pools(),
    listeners: () => plane.view.listeners(),
    automaticCertificates: () => certificates.status(),
    lostDatagrams: () => plane.view.lostDatagrams(),
    idleConnections: (endpoint) => plane.view.idleConnections(endpoint),
  };
  const metrics = {
    view,
    clock,
    transitions,
    eventLoopLagMs: () => lag.largestMs(),
    get accessLog() {
      return config.accessLog === false ? undefined : plane.view.accessLog();
    },
  };
  const admin = new AdminInterface(
    {
      view,
      control: reloader,
      upgrades: upgrader,
      endpoints,
      clock,
      refresh: () => plane.view.collect(),
      settle: () => plane.settle(),
      window: (endpoint) => windows.window(endpoint),
      metrics: (accept) => exposeMetrics(metrics, accept),
    },
    log,
  );
  const watch =
    config.watch && file !== undefined
      ? new ConfigWatch(
          () => filesOf(file.path, plane.config),
          clock,
          log,
          () => void reloader.reload().then(() => watch?.follow()),
        )
      : undefined;
  const expiry = new CertificateExpiry(clock, log, () => plane.view.listeners());
  return {
    endpoints,
    certificates,
    names,
    reloader,
    upgrader,
    readiness,
    windows,
    lag,
    admin,
    watch,
    expiry,
  };
}

/** Why this process can never hand over to another; undefined when it can. */
function upgradeObstacle(): string | undefined {
  if (!usesDescriptors) return 'sockets cannot be handed over here';
  return process.pid === 1
    ? 'it is process 1, whose end is the end of its container: replace that'
    : undefined;
}
