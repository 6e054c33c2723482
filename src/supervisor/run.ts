import { hostname } from 'node:os';

import { type AdminServer, startAdmin } from '../admin/server.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';
import type { RuntimeView } from '../model/runtime-view.ts';
import { onDefect } from '../net/defects.ts';
import { BatchedAccessLog } from '../telemetry/access-log.ts';
import { EventLoopLag } from '../telemetry/event-loop-lag.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { AppLog } from '../telemetry/log.ts';
import { exposeMetrics } from '../telemetry/prometheus.ts';
import { TrafficWindows } from '../telemetry/traffic-windows.ts';
import { TransitionCounters } from '../telemetry/transition-counters.ts';
import { systemClock } from '../util/clock.ts';
import manifest from '../../package.json' with { type: 'json' };
import { DataPlane } from './data-plane.ts';
import { shutDown } from './shutdown.ts';

/** How long the last log lines may take to be written, milliseconds. */
const LAST_LINES_MS = 1000;

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Resolves with the first SIGTERM or SIGINT; the second ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(130);
      asked = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/**
 * Runs a checked configuration until SIGTERM or SIGINT.
 * @param options.source What the configuration came from, for the log.
 * @returns the exit code: 0 after an orderly stop, 1 when it could not start.
 */
export async function runSupervisor(config: Config, options: { readonly source: string }): Promise<number> {
  const clock = systemClock;
  const lines = LineWriter.open({ destination: 'stderr', clock, flushEveryMs: 10 });
  const log: Log = new AppLog({ level: config.log.level, format: config.log.format, clock, sink: lines });
  const startWallMs = clock.wallMs();
  const counters = new TransitionCounters();
  let accessLog: BatchedAccessLog | undefined;
  let plane: DataPlane | undefined;
  let admin: AdminServer | undefined;
  onDefect((error) => log.error('defect', { error: describe(error) }));
  process.on('uncaughtException', (error) => log.error('defect', { error: describe(error) }));
  process.on('unhandledRejection', (error) => log.error('defect', { error: describe(error) }));
  try {
    if (config.accessLog !== false) accessLog = BatchedAccessLog.open(config.accessLog, clock, log);
    plane = new DataPlane(config, { log, accessLog, transitions: counters, instance: hostname() });
    const running = plane;
    const stopping = { begun: false };
    const windows = new TrafficWindows({
      clock,
      endpoints: () => running.pools().flatMap((pool) => pool.view.all),
    });
    const lag = new EventLoopLag(clock);
    const view: RuntimeView = {
      version: manifest.version,
      startWallMs,
      revision: () => 1,
      readiness: () => readiness(running, stopping.begun),
      pools: () => running.pools(),
      listeners: () => running.listeners(),
      idleConnections: (endpoint) => running.idleConnections(endpoint),
    };
    await running.start();
    if (config.admin !== false) {
      const source = { view, clock, transitions: counters, eventLoopLagMs: () => lag.largestMs(), accessLog };
      admin = startAdmin(
        config.admin,
        {
          view,
          clock,
          window: (endpoint) => windows.window(endpoint),
          metrics: (accept) => exposeMetrics(source, accept),
        },
        log,
      );
    }
    windows.start();
    lag.start();
    announce(log, config, running, admin, options.source);
    process.on('SIGUSR1', () => accessLog?.reopen());

    const signal = await stopSignal();
    stopping.begun = true;
    log.info('stopping', { signal, busy: running.busy });
    await shutDown(running, config.shutdown, clock, log);
    windows.stop();
    lag.stop();
    await admin?.stop(true);
    log.info('stopped', { uptimeSeconds: Math.round((clock.wallMs() - startWallMs) / 1000) });
    return 0;
  } catch (error) {
    log.error('cannot-start', { reason: error instanceof Error ? error.message : String(error) });
    plane?.stopListening();
    plane?.close();
    return 1;
  } finally {
    await accessLog?.close(LAST_LINES_MS);
    await lines.close(LAST_LINES_MS);
  }
}

function readiness(plane: DataPlane, stopping: boolean): { ready: boolean; reasons: string[] } {
  const reasons: string[] = [];
  if (stopping) reasons.push('shutting down');
  else if (!plane.listening) reasons.push('a listener is not bound');
  return { ready: reasons.length === 0, reasons };
}

/** What was started, a line each. */
function announce(
  log: Log,
  config: Config,
  plane: DataPlane,
  admin: AdminServer | undefined,
  source: string,
): void {
  log.info('started', { version: manifest.version, pid: process.pid, config: source, workers: 1 });
  if (config.workers !== 1) {
    log.warn('one-worker', { asked: config.workers, reason: 'this version carries traffic in one process' });
  }
  for (const { name, policy, endpoints, healthCheck } of config.pools) {
    const check =
      healthCheck === undefined
        ? 'none'
        : healthCheck.http === undefined
          ? 'tcp'
          : `http ${healthCheck.http.path}`;
    const list = endpoints.map((endpoint) =>
      endpoint.name === formatAddress(endpoint.address)
        ? endpoint.name
        : `${endpoint.name}=${formatAddress(endpoint.address)}`,
    );
    const shown = list.length > 8 ? `${list.slice(0, 8).join(',')},... (${list.length})` : list.join(',');
    log.info('pool', { pool: name, policy, endpoints: shown, healthCheck: check });
  }
  for (const { name, address, pools } of plane.listeners()) {
    log.info('listening', { listener: name, address, pools: pools.join(',') });
  }
  if (admin !== undefined) log.info('listening', { listener: 'admin', address: admin.address });
}
