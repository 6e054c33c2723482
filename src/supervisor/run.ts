import { hostname } from 'node:os';

import type { LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';
import { usesDescriptors } from '../net/sockets.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { AppLog } from '../telemetry/log.ts';
import { TransitionCounters } from '../telemetry/transition-counters.ts';
import { systemClock as clock } from '../util/clock.ts';
import manifest from '../../package.json' with { type: 'json' };
import { announce } from './announce.ts';
import { ControlPlane } from './control-plane.ts';
import type { Inheritance } from './inheritance.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import type { Predecessor } from './predecessor.ts';
import { logDefects, ProcessSignals } from './process-signals.ts';
import { ServiceManager } from './service-manager.ts';
import { wait } from './shutdown.ts';
import { activatedSockets } from './socket-activation.ts';
import { supervisorParts, type SupervisorParts } from './supervisor-parts.ts';
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

/** What the steps of a run share. */
interface Run {
  readonly config: Config;
  readonly options: RunOptions;
  readonly log: Log;
  readonly service: ServiceManager;
  readonly signals: ProcessSignals;
  /** Sockets that were open before. */
  readonly inherited: InheritedSockets;
  /** Of the process that this one takes over from. */
  readonly inheritance: Inheritance | undefined;
  readonly plane: ControlPlane;
  readonly parts: SupervisorParts;
}

/** Why a run ends: somebody sent a signal, or the process that was started by an upgrade has taken over. */
type End = { readonly signal: NodeJS.Signals } | { readonly successor: number };

/**
 * Runs a checked configuration until SIGTERM or SIGINT. SIGHUP reloads it.
 * @returns the exit code: 0 after an orderly stop, 1 when it could not start.
 */
export async function runSupervisor(config: Config, options: RunOptions): Promise<number> {
  const lines = LineWriter.open({ destination: 'stderr', clock, flushEveryMs: 10 });
  const log: Log = new AppLog({ level: config.log.level, format: config.log.format, clock, sink: lines });
  const startWallMs = clock.wallMs();
  const { predecessor, file } = options;
  const service = new ServiceManager(process.env, process.pid, clock, log);
  logDefects(log);
  const signals = new ProcessSignals();
  let plane: ControlPlane | undefined;
  try {
    const handed = await predecessor?.inherit();
    const inheritance = handed?.inheritance;
    const inherited = new InheritedSockets(
      handed?.sockets ?? (usesDescriptors ? activatedSockets(process.env, process.pid, log) : []),
    );
    const transitions = new TransitionCounters();
    plane = new ControlPlane(
      {
        log,
        transitions,
        instance: hostname(),
        workers: firstWorkerCount(config, log),
        holdsSockets: usesDescriptors,
        inherited,
        inheritance,
      },
      config,
    );
    const given = { clock, log, startWallMs, transitions, service, file, inheritance };
    const parts = supervisorParts(plane, config, given);
    const run = { config, options, log, service, signals, inherited, inheritance, plane, parts };
    await start(run);
    await stop(run, await untilEnd(run));
    log.info('stopped', { uptimeSeconds: Math.round((clock.wallMs() - startWallMs) / 1000) });
    await service.told();
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

/** In this order: the traffic, what goes on by itself beside it, what people and other programs see and ask for. */
async function start(run: Run): Promise<void> {
  const { config, options, log, service, signals, inherited, inheritance, plane, parts } = run;
  const { predecessor, source } = options;
  await plane.apply(parts.endpoints.overlay(config));
  parts.endpoints.resume(inheritance?.drains ?? []);
  for (const address of inherited.discard())
    if (predecessor === undefined)
      log.warn('socket-unused', { address, reason: 'no listener has this address and protocol' });
  await predecessor?.relieve(manifest.version, plane.revision);

  parts.certificates.follow(config);
  void parts.names.look(config);

  signals.onReload = () => void parts.reloader.reload();
  signals.onUpgrade = () => void parts.upgrader.upgrade('SIGUSR2');
  await parts.admin.start(config.admin, inheritance);
  parts.windows.start();
  parts.lag.start();
  parts.expiry.start();
  await parts.watch?.start();
  process.on('SIGUSR1', () => plane.reopenAccessLog());
  signals.heedStops();

  // Last: who hears that all is up may have it stopped at once, or write the file that is watched.
  announce(log, config, plane.view, parts.admin.address, source);
  service.ready(`revision ${plane.revision}, ${plane.view.workers().length} workers`);
}

/** Resolves when the run is to end. */
async function untilEnd({ signals, parts }: Run): Promise<End> {
  const signal = signals.stop.then((name) => ({ signal: name }));
  const successor = parts.upgrader.relieved.then((pid) => ({ successor: pid }));
  return await Promise.race([signal, successor]);
}

/** In this order: nothing new is begun, the traffic ends, then what shows it. */
async function stop({ log, service, plane, parts }: Run, end: End): Promise<void> {
  const replaced = 'successor' in end;
  parts.readiness.end();
  log.info('stopping', { signal: replaced ? 'upgrade' : end.signal, busy: plane.view.busy() });
  if (replaced) {
    service.handOver(end.successor);
    // Its address is free at once; who asked for the upgrade still gets the answer.
    void parts.admin.stop(false);
    parts.upgrader.release();
  } else {
    parts.upgrader.stop();
    service.stopping();
  }
  parts.watch?.stop();
  parts.expiry.stop();
  parts.reloader.stop();
  parts.certificates.stop();

  const { delay, deadline } = plane.config!.shutdown;
  // The next one is there already: nobody needs to be told to go elsewhere.
  if (delay > 0 && !replaced) await wait(clock, delay);
  const cut = await plane.stop(deadline, replaced);
  if (cut > 0) log.warn('shutdown-cut', { exchanges: cut, reason: `still under way after ${deadline} ms` });

  service.stop();
  parts.endpoints.stop();
  parts.windows.stop();
  parts.lag.stop();
  await parts.admin.stop(true);
}

/** How many workers there are at first: one, where listening sockets cannot be handed to several. */
function firstWorkerCount({ workers }: Config, log: Log): number {
  const wanted = workerCount(workers);
  if (usesDescriptors || wanted === 1) return wanted;
  log.warn('one-worker', { asked: workers, reason: 'listening sockets cannot be handed to workers here' });
  return 1;
}
