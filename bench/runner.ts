import { endpointsCommand } from './endpoints.ts';
import { freePorts, pinned } from './machine.ts';
import { cpuNsBetween, readCpu, readMemoryBytes } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { ProxyKind } from './proxies/proxy.ts';
import type { Case, Held, Scenario, Target } from './scenarios/scenario.ts';
import { rotated } from './statistics.ts';
import type { Daemon, Workspace } from './workspace.ts';
import type { LoadResult } from './wrk.ts';

/** One load on one proxy. */
export interface Sample extends LoadResult {
  /** CPU time of the proxy for one request, in microseconds. */
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** What one proxy did in one case. */
export interface CaseResult {
  readonly proxy: string;
  readonly title: string;
  readonly samples: readonly Sample[];
  /** Memory of the whole proxy after the warm-up. */
  readonly memoryBytes: number;
  readonly idle: IdleResult | undefined;
}

export interface IdleResult {
  readonly held: number;
  readonly openAtEnd: number;
  readonly bytesPerConnection: number;
}

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly plain: boolean;
  readonly results: readonly CaseResult[];
}

/** A running proxy with the case that it serves. */
interface Contender {
  readonly kind: ProxyKind;
  readonly case: Case;
  readonly daemon: Daemon;
  readonly port: number;
  readonly samples: Sample[];
  memoryBytes: number;
  held: Held | undefined;
  heldBytes: number;
}

const ENDPOINTS = 2;
const START_TIMEOUT_MS = 20_000;
/** Time for timers and collectors to come to rest before memory is read. */
const SETTLE_MS = 1500;

/** Starts everything that `scenario` needs, measures it and stops it again. */
export async function runScenario(
  scenario: Scenario,
  kinds: readonly ProxyKind[],
  options: BenchOptions,
  workspace: Workspace,
  say: (line: string) => void,
): Promise<ScenarioResult> {
  const endpointPorts = freePorts(ENDPOINTS);
  const endpoints = workspace.start(pinned('load', endpointsCommand(endpointPorts, workspace)));
  const contenders: Contender[] = [];
  try {
    await untilServing(endpoints, 'the endpoints', endpointPorts[0] ?? 0);
    for (const item of scenario.cases) {
      for (const kind of kinds) contenders.push(await start(kind, item, endpointPorts, options, workspace));
    }
    await measure(contenders, options, workspace, say);
    const results = await Promise.all(contenders.map(conclude));
    return { name: scenario.name, about: scenario.about, plain: options.plain, results };
  } finally {
    for (const contender of contenders) workspace.stop(contender.daemon.child);
    workspace.stop(endpoints.child);
  }
}

async function start(
  kind: ProxyKind,
  item: Case,
  endpointPorts: readonly number[],
  options: BenchOptions,
  workspace: Workspace,
): Promise<Contender> {
  const [port = 0] = freePorts(1);
  const connections = options.idleConnections + options.connections + 200;
  const job = {
    port,
    endpointPorts,
    routeCount: item.routeCount,
    connections,
    largeBodies: item.largeBodies ?? false,
    sameHeaders: !options.plain,
  };
  const daemon = workspace.start(pinned('proxy', kind.command(job, workspace)));
  const contender = {
    kind,
    case: item,
    daemon,
    port,
    samples: [],
    memoryBytes: 0,
    held: undefined,
    heldBytes: 0,
  };
  try {
    await untilServing(daemon, kind.name, port);
  } catch (error) {
    workspace.stop(daemon.child);
    throw error;
  }
  return contender;
}

async function untilServing(daemon: Daemon, name: string, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}/`, { keepalive: false }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (daemon.child.exitCode !== null || performance.now() > deadlineMs) {
      throw new Error(`${name} does not serve (status ${status}); it printed:\n${daemon.printed()}`);
    }
    await Bun.sleep(50);
  }
}

async function measure(
  contenders: readonly Contender[],
  options: BenchOptions,
  workspace: Workspace,
  say: (line: string) => void,
): Promise<void> {
  const { connections, idleConnections } = options;
  const common = { connections, idleConnections, workspace };
  let capacity = Number.POSITIVE_INFINITY;
  for (const contender of contenders) {
    const target: Target = { ...common, port: contender.port, seconds: options.warmUpSeconds, capacity: 0 };
    const warm = await (contender.case.warmUp ?? contender.case.load)(target);
    capacity = Math.min(capacity, warm.requests / warm.seconds);
    await Bun.sleep(contender.case.hold === undefined ? 0 : SETTLE_MS);
    contender.memoryBytes = readMemoryBytes(contender.daemon.child.pid);
    if (contender.case.hold === undefined) continue;
    contender.held = await contender.case.hold(target);
    await Bun.sleep(SETTLE_MS);
    contender.heldBytes = readMemoryBytes(contender.daemon.child.pid) - contender.memoryBytes;
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of rotated(contenders, round)) {
      const target: Target = { ...common, port: contender.port, seconds: options.seconds, capacity };
      const sample = await sampleOf(contender, target);
      contender.samples.push(sample);
      say(
        `  ${round + 1}/${options.rounds} ${contender.case.title}, ${contender.kind.name}: ${inWords(sample)}`,
      );
    }
  }
}

async function sampleOf(contender: Contender, target: Target): Promise<Sample> {
  const before = readCpu(contender.daemon.child.pid);
  const result = await contender.case.load(target);
  const usedNs = cpuNsBetween(before, readCpu(contender.daemon.child.pid));
  if (result.requests === 0) {
    throw new Error(`${contender.kind.name} answered nothing; it printed:\n${contender.daemon.printed()}`);
  }
  return {
    ...result,
    cpuUs: usedNs / 1000 / result.requests,
    perSecond: result.requests / result.seconds,
  };
}

function inWords(sample: Sample): string {
  return `${sample.cpuUs.toFixed(2)} us CPU a request, ${Math.round(sample.perSecond)} requests/s`;
}

async function conclude(contender: Contender): Promise<CaseResult> {
  const { held } = contender;
  const idle =
    held === undefined
      ? undefined
      : {
          held: held.count,
          openAtEnd: await held.release(),
          bytesPerConnection: contender.heldBytes / held.count,
        };
  return {
    proxy: contender.kind.name,
    title: contender.case.title,
    samples: contender.samples,
    memoryBytes: contender.memoryBytes,
    idle,
  };
}
