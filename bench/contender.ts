import { certificateOf } from './certificate.ts';
import { freePorts, pinned } from './machine.ts';
import { cpuNsBetween, foreignCores, readCpu, readMachine, readMemoryBytes } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Job, ProxyKind } from './proxies/proxy.ts';
import type { CaseResult, IdleResult, Sample } from './results.ts';
import type { Case, Held, Target } from './scenarios/scenario.ts';
import type { Daemon, Workspace } from './workspace.ts';

/** Others can only take capacity away: the best of several parts is nearest to the truth. */
const WARM_UP_PARTS = 3;
const START_TIMEOUT_MS = 20_000;
/** Time for timers and collectors to come to rest before memory is read. */
const SETTLE_MS = 1500;

/** A running proxy with the case that it serves. */
export class Contender {
  readonly proxy: string;
  readonly case: Case;
  readonly #daemon: Daemon;
  readonly #port: number;
  readonly #options: BenchOptions;
  readonly #workspace: Workspace;
  #memoryBytes = 0;
  #heldBytes = 0;
  #held: Held | undefined = undefined;

  private constructor(
    proxy: string,
    item: Case,
    daemon: Daemon,
    port: number,
    options: BenchOptions,
    workspace: Workspace,
  ) {
    this.proxy = proxy;
    this.case = item;
    this.#daemon = daemon;
    this.#port = port;
    this.#options = options;
    this.#workspace = workspace;
  }

  /** Starts a proxy and waits until it answers; throws with what it printed when it does not. */
  static async start(
    kind: ProxyKind,
    item: Case,
    endpointPorts: readonly number[],
    options: BenchOptions,
    workspace: Workspace,
  ): Promise<Contender> {
    const [port = 0] = freePorts(1);
    const job: Job = {
      protocol: item.protocol ?? 'http',
      eachDatagram: item.eachDatagram ?? false,
      certificate: item.tls === true ? certificateOf(workspace) : undefined,
      port,
      endpointPorts,
      http2Endpoints: item.http2Endpoints ?? false,
      grpc: item.grpc ?? false,
      routeCount: item.routeCount,
      connections: options.idleConnections + options.connections + 200,
      largeBodies: item.largeBodies ?? false,
      sameHeaders: !options.plain,
    };
    const daemon = workspace.start(pinned('proxy', kind.command(job, workspace)));
    const contender = new Contender(kind.name, item, daemon, port, options, workspace);
    const scheme = item.tls === true ? 'https' : 'http';
    const serving =
      job.protocol === 'udp'
        ? untilAnswering(daemon, kind.name, port)
        : untilServing(daemon, kind.name, port, scheme);
    await serving.catch((error: unknown) => {
      contender.stop();
      throw error;
    });
    return contender;
  }

  #target(seconds: number, capacity: number): Target {
    const { connections, idleConnections } = this.#options;
    return {
      port: this.#port,
      seconds,
      connections,
      idleConnections,
      capacity,
      workspace: this.#workspace,
    };
  }

  /** Makes the proxy run as fast as it will, then opens the idle connections. Returns requests a second, at best. */
  async warmUp(): Promise<number> {
    const parts = Math.min(WARM_UP_PARTS, this.#options.warmUpSeconds);
    const target = this.#target(Math.floor(this.#options.warmUpSeconds / parts), 0);
    let capacity = 0;
    for (let part = 0; part < parts; part++) {
      const { requests, seconds } = await (this.case.warmUp ?? this.case.load)(target);
      capacity = Math.max(capacity, requests / seconds);
    }
    if (this.case.hold !== undefined) await Bun.sleep(SETTLE_MS);
    this.#memoryBytes = readMemoryBytes(this.#daemon.child.pid);
    if (this.case.hold !== undefined) {
      this.#held = await this.case.hold(target);
      await Bun.sleep(SETTLE_MS);
      this.#heldBytes = readMemoryBytes(this.#daemon.child.pid) - this.#memoryBytes;
    }
    return capacity;
  }

  /** One counted load. `capacity`: requests a second of the slowest contender in its warm-up. */
  async sample(capacity: number): Promise<Sample> {
    const machineBefore = readMachine();
    const before = readCpu(this.#daemon.child.pid);
    const result = await this.case.load(this.#target(this.#options.seconds, capacity));
    const usedNs = cpuNsBetween(before, readCpu(this.#daemon.child.pid));
    if (result.requests === 0) {
      throw new Error(`${this.proxy} answered nothing; it printed:\n${this.#daemon.printed()}`);
    }
    return {
      ...result,
      cpuUs: usedNs / 1000 / result.requests,
      perSecond: result.requests / result.seconds,
      foreignCores: foreignCores(machineBefore, readMachine()),
    };
  }

  /** Lets go of idle connections and sums up. */
  async conclude(samples: readonly Sample[]): Promise<CaseResult> {
    return {
      proxy: this.proxy,
      title: this.case.title,
      samples,
      memoryBytes: this.#memoryBytes,
      idle: await this.#release(),
    };
  }

  async #release(): Promise<IdleResult | undefined> {
    if (this.#held === undefined) return undefined;
    const held = this.#held.count;
    return { held, openAtEnd: await this.#held.release(), bytesPerConnection: this.#heldBytes / held };
  }

  stop(): void {
    this.#workspace.stop(this.#daemon.child);
  }
}

/** Waits until a request to `port` of `name` is answered with 200. */
export async function untilServing(
  daemon: Daemon,
  name: string,
  port: number,
  scheme: 'http' | 'https' = 'http',
): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const status = await fetch(`${scheme}://127.0.0.1:${port}/`, {
      keepalive: false,
      tls: { rejectUnauthorized: false },
    }).then(
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

/** Waits until a datagram to `port` of `name` is answered. */
export async function untilAnswering(daemon: Daemon, name: string, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  const heard = { answers: 0 };
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: {
      data: () => {
        heard.answers++;
      },
      error: () => {},
    },
  });
  while (heard.answers === 0 && daemon.child.exitCode === null && performance.now() < deadlineMs) {
    socket.send('x');
    await Bun.sleep(50);
  }
  socket.close();
  if (heard.answers === 0) throw new Error(`${name} answers no datagram; it printed:\n${daemon.printed()}`);
}
