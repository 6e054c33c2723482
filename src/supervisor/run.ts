import { hostname } from 'node:os';

import type { AdminServer } from '../admin/server.ts';
import type { LoadResult } from '../config/load.ts';
import { filesOf } from '../config/named-files.ts';
import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';
import type { RuntimeView } from '../model/runtime-view.ts';
import { resolveHost } from '../net/resolve.ts';
import { usesDescriptors } from '../net/sockets.ts';
import { EventLoopLag } from '../telemetry/event-loop-lag.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { AppLog } from '../telemetry/log.ts';
import { exposeMetrics } from '../telemetry/prometheus.ts';
import { TrafficWindows } from '../telemetry/traffic-windows.ts';
import { TransitionCounters } from '../telemetry/transition-counters.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import manifest from '../../package.json' with { type: 'json' };
import { startAdminInterface } from './admin-interface.ts';
import { announce } from './announce.ts';
import { CertificateExpiry } from './certificate-expiry.ts';
import { AutomaticCertificates, withStoredCertificates } from './automatic-certificates.ts';
import { ConfigWatch } from './config-watch.ts';
import { ControlPlane } from './control-plane.ts';
import { createEndpointControl } from './endpoint-control.ts';
import { EndpointNames } from './endpoint-names.ts';
import { INHERITANCE_FORMAT } from './inheritance.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import type { Predecessor } from './predecessor.ts';
import { logDefects, ProcessSignals } from './process-signals.ts';
import { Reloader } from './reloader.ts';
import { ServiceManager } from './service-manager.ts';
import { wait } from './shutdown.ts';
import { activatedSockets } from './socket-activation.ts';
import { Upgrader } from './upgrader.ts';
import { workerCount } from './worker-count.ts';

/** How long the last log lines may take to be written, milliseconds. */
const LAST_LINES_MS = 1000;

/** Where a configuration came from. */
export interface RunOptions {
  /** For the log. */
  readonly source: string;
  /** Who it takes over from; undefined at a start. */
  readonly predecessor?: Predecessor | undefined;
  /** For reloads; undefined when it came from the command line. */
  readonly file?: { readonly path: string; readonly load: () => Promise<LoadResult> } | undefined;
}

/**
 * Runs a checked configuration until SIGTERM or SIGINT. SIGHUP reloads it.
 * @returns the exit code: 0 after an orderly stop, 1 when it could not start.
 */
export async function runSupervisor(
  config: Config,
  { source, file, predecessor }: RunOptions,
): Promise<number> {
  const clock = systemClock;
  const lines = LineWriter.open({ destination: 'stderr', clock, flushEveryMs: 10 });
  const log: Log = new AppLog({ level: config.log.level, format: config.log.format, clock, sink: lines });
  const startWallMs = clock.wallMs();
  const counters = new TransitionCounters();
  const service = new ServiceManager(process.env, process.pid, clock, log);
  let plane: ControlPlane | undefined;
  let admin: AdminServer | undefined;
  logDefects(log);
  const signals = new ProcessSignals();
  try {
    const handed = await predecessor?.inherit();
    const inheritance = handed?.inheritance;
    const inherited = new InheritedSockets(
      handed?.sockets ?? (usesDescriptors ? activatedSockets(process.env, process.pid, log) : []),
    );
    const wanted = workerCount(config.workers);
    const workers = usesDescriptors ? wanted : 1;
    if (!usesDescriptors && wanted > 1) {
      const reason = 'listening sockets cannot be handed to workers here';
      log.warn('one-worker', { asked: config.workers, reason });
    }
    const running = new ControlPlane(
      {
        log,
        transitions: counters,
        instance: hostname(),
        workers,
        holdsSockets: usesDescriptors,
        inherited,
        inheritance,
      },
      config,
    );
    plane = running;
    const stopping = { begun: false };
    const windows = new TrafficWindows({
      clock,
      endpoints: () => {
        running.gather();
        return running.pools().flatMap((pool) => pool.view.all);
      },
    });
    const lag = new EventLoopLag(clock);
    const view: RuntimeView = {
      version: manifest.version,
      startWallMs,
      revision: () => running.revision,
      readiness: () => readiness(running, stopping.begun),
      workers: () => running.workers(),
      pools: () => running.pools(),
      listeners: () => running.listeners(),
      automaticCertificates: () => certificates.status(),
      lostDatagrams: () => running.lostDatagrams(),
      idleConnections: (endpoint) => running.idleConnections(endpoint),
    };
    const endpoints = createEndpointControl(
      config,
      {
        pools: () => running.pools(),
        updatePool: (pool) => running.updatePool(pool),
        closeSessions: (endpoint) => running.closeSessions(endpoint),
        transitions: counters,
        clock,
        log,
      },
      inheritance,
    );
    await running.apply(endpoints.overlay(config));
    endpoints.resume(inheritance?.drains ?? []);
    for (const address of inherited.discard())
      if (predecessor === undefined)
        log.warn('socket-unused', { address, reason: 'no listener has this address and protocol' });
    await predecessor?.relieve(manifest.version, running.revision);
    const certificates = new AutomaticCertificates({
      clock,
      random: systemRandom,
      log,
      renewed: () => control.renew(withStoredCertificates),
    });
    const control = new Reloader(config, {
      plane: running,
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
    certificates.follow(config);
    const names = new EndpointNames(resolveHost, log);
    void names.look(config);
    signals.onReload = () => void control.reload();
    const upgrader = new Upgrader({
      clock,
      log,
      obstacle: upgradeObstacle(),
      hold: (reason) => {
        endpoints.hold(reason);
        return control.hold(reason);
      },
      inheritance: () => {
        const { state, descriptors } = running.handOver();
        const adminPort = admin?.port;
        const inherits = { format: INHERITANCE_FORMAT, ...state, ...endpoints.handOver(), adminPort };
        return { inheritance: inherits, descriptors };
      },
    });
    signals.onUpgrade = () => void upgrader.upgrade('SIGUSR2');
    if (config.admin !== false) {
      const metrics = {
        view,
        clock,
        transitions: counters,
        eventLoopLagMs: () => lag.largestMs(),
        get accessLog() {
          return config.accessLog === false ? undefined : running.accessLog;
        },
      };
      admin = await startAdminInterface(
        config.admin,
        {
          view,
          control,
          upgrades: upgrader,
          endpoints,
          clock,
          refresh: () => running.collect(),
          window: (endpoint) => windows.window(endpoint),
          metrics: (accept) => exposeMetrics(metrics, accept),
        },
        log,
        inheritance,
      );
    }
    windows.start();
    lag.start();
    // Before it is said that all is up: who hears that may have it stopped at once.
    const signalled = signals.stop().then((signal) => ({ signal }));
    announce(log, config, running, admin, source);
    service.ready(`revision ${running.revision}, ${workers} workers`);
    process.on('SIGUSR1', () => running.reopenAccessLog());
    const watch =
      config.watch && file !== undefined
        ? new ConfigWatch(
            () => filesOf(file.path, running.config),
            clock,
            log,
            () => void control.reload().then(() => watch?.follow()),
          )
        : undefined;
    await watch?.start();
    const expiry = new CertificateExpiry(clock, log, () => running.listeners());
    expiry.start();

    const successor = upgrader.relieved.then((pid) => ({ pid }));
    const end = await Promise.race([signalled, successor]);
    const replaced = 'pid' in end;
    stopping.begun = true;
    log.info('stopping', { signal: replaced ? 'upgrade' : end.signal, busy: running.busy });
    if (replaced) {
      service.handOver(end.pid);
      // Its address is free at once; who asked for the upgrade still gets the answer.
      void admin?.stop(false);
      upgrader.release();
    } else {
      upgrader.stop();
      service.stopping();
    }
    watch?.stop();
    expiry.stop();
    control.stop();
    certificates.stop();
    const { delay, deadline } = running.config?.shutdown ?? config.shutdown;
    // The next one is there already: nobody needs to be told to go elsewhere.
    if (delay > 0 && !replaced) await wait(clock, delay);
    const cut = await running.stop(deadline, replaced);
    if (cut > 0) log.warn('shutdown-cut', { exchanges: cut, reason: `still under way after ${deadline} ms` });
    service.stop();
    endpoints.stop();
    windows.stop();
    lag.stop();
    await admin?.stop(true);
    log.info('stopped', { uptimeSeconds: Math.round((clock.wallMs() - startWallMs) / 1000) });
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error('cannot-start', { reason });
    if (predecessor === undefined) plane?.kill();
    // Workers that accepted something already finish it when this process ends.
    else await predecessor.fail([reason]);
    return 1;
  } finally {
    await lines.close(LAST_LINES_MS);
  }
}

function readiness(plane: ControlPlane, stopping: boolean): { ready: boolean; reasons: readonly string[] } {
  const reasons = stopping ? ['shutting down'] : plane.obstacles;
  return { ready: reasons.length === 0, reasons };
}

/** Why this process can never hand over to another; undefined when it can. */
function upgradeObstacle(): string | undefined {
  if (!usesDescriptors) return 'sockets cannot be handed over here';
  return process.pid === 1
    ? 'it is process 1, whose end is the end of its container: replace that'
    : undefined;
}
