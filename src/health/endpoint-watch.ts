import type { HealthCheckConfig } from '../config/schema/pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { dialIntroduced, selfIntroduction } from '../net/proxy-protocol/introduction.ts';
import type { CancelTimer } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import { ejectionMs, rememberedEjections } from './ejection-rules.ts';
import {
  afterCheck,
  checkIntervalMs,
  type CheckState,
  initialCheckState,
  withJitter,
} from './health-state.ts';
import type { ProbeDeps, ProbeResult } from './probe.ts';
import { probeOf } from './probe-of.ts';
import type { EndpointProtocol } from './probe-stream.ts';
import { ProbeLoop } from './probe-loop.ts';
import { tcpProbe } from './tcp-probe.ts';
import type { Transitions } from './transitions.ts';

export interface WatchDeps extends ProbeDeps {
  readonly random: Random;
  /** Whether the endpoint is one that accepts connections. */
  connects(): boolean;
}

/** Between two looks whether an ejected endpoint is back; short enough that it has traffic within a second of its return. */
const RECOVERY_INTERVAL_MS = 750;

/** Passed checks in a row that end an ejection early. */
const READMIT_AFTER = 2;

interface Ejection {
  readonly sinceMs: number;
  /** What tries the endpoint has found it down or failing, so that a pass is news. */
  wasFailing: boolean;
  /** Passed checks in a row that began after the ejection. */
  passed: number;
  readonly cancelTimer: CancelTimer;
}

/**
 * Everything that judges one endpoint: its active check, its ejection, and what ends the ejection early. The two are separate
 * axes; `availability` combines them.
 *
 * An ejection ends early when the endpoint is seen to recover: what tries it, the active check or else a mere connection,
 * failed and passes again. A try that passed all the while is no news, as of an endpoint whose /health is fine while its
 * answers are not: it stays out for its time.
 */
export class EndpointWatch {
  readonly #deps: WatchDeps;
  readonly #transitions: Transitions;
  readonly #pool: Pool;
  readonly #endpoint: Endpoint;
  #config: HealthCheckConfig | undefined = undefined;
  /** Of the header that checks begin with. */
  #proxyVersion: 'v1' | 'v2' | undefined = undefined;
  /** What checks by HTTP speak. */
  #protocol: EndpointProtocol = 'http1';
  #state: CheckState;
  #check: ProbeLoop | undefined = undefined;
  #recovery: ProbeLoop | undefined = undefined;
  #ejection: Ejection | undefined = undefined;
  #readmittedMs: number;

  constructor(deps: WatchDeps, transitions: Transitions, pool: Pool, endpoint: Endpoint) {
    this.#deps = deps;
    this.#transitions = transitions;
    this.#pool = pool;
    this.#endpoint = endpoint;
    this.#state = initialCheckState(endpoint.health);
    const nowMs = deps.clock.nowMs();
    this.#readmittedMs = nowMs;
    const leftMs = endpoint.ejectedUntilMs - nowMs;
    if (leftMs > 0) {
      // Ejected by the process before this one: for the rest of its time, as far as that is known.
      const cancelTimer = deps.clock.after(leftMs, () => this.#readmit('its time is over'));
      this.#ejection = { sinceMs: nowMs, wasFailing: false, passed: 0, cancelTimer };
    }
  }

  /** Adopts the pool's configuration; a check that is the same goes on undisturbed. */
  configure(firstDelayMs: number): void {
    const { healthCheck, outlierDetection, proxyProtocol, protocol } = this.#pool.config;
    const proxyVersion = healthCheck?.proxyProtocol === false ? undefined : proxyProtocol?.version;
    const same =
      Bun.deepEquals(healthCheck, this.#config) &&
      proxyVersion === this.#proxyVersion &&
      protocol === this.#protocol;
    if (!same) {
      this.#config = healthCheck;
      this.#protocol = protocol;
      this.#proxyVersion = proxyVersion;
      this.#check?.stop();
      this.#check = undefined;
      this.#state = initialCheckState(this.#endpoint.health);
      if (healthCheck !== undefined) {
        const onResult = (result: ProbeResult, startedMs: number): number =>
          this.#onCheck(healthCheck, result, startedMs);
        const probe = probeOf(
          this.#introduced(proxyVersion),
          this.#endpoint.config.address,
          protocol,
          healthCheck,
        );
        this.#check = new ProbeLoop(this.#deps.clock, probe, onResult, firstDelayMs);
      } else if (this.#endpoint.health !== 'unknown') {
        this.#state = initialCheckState('unknown');
        this.#transitions.setHealth(this.#pool, this.#endpoint, 'unknown', 'no longer checked');
      }
    }
    if (outlierDetection === false) this.#readmit('outlier detection was switched off');
    this.#fitRecovery();
  }

  /** Checks begin with a header where traffic does; it says that they are checks. */
  #introduced(version: 'v1' | 'v2' | undefined): ProbeDeps {
    const deps = this.#deps;
    if (version === undefined) return deps;
    const introduction = selfIntroduction(version);
    return {
      ...deps,
      dial: dialIntroduced(deps.dial, introduction),
      tlsHandshake: (options, done) => deps.tlsHandshake({ ...options, introduction }, done),
    };
  }

  /** Takes the endpoint out for a time that doubles with each ejection in a row. */
  eject(unreachable: boolean, reason: string): void {
    const rules = this.#pool.config.outlierDetection;
    if (rules === false || this.#ejection !== undefined) return;
    const { clock } = this.#deps;
    const nowMs = clock.nowMs();
    const count = rememberedEjections(this.#endpoint.ejections, nowMs - this.#readmittedMs, rules) + 1;
    const forMs = ejectionMs(count, rules);
    this.#ejection = {
      sinceMs: nowMs,
      wasFailing: unreachable || this.#state.streak > 0,
      passed: 0,
      cancelTimer: clock.after(forMs, () => this.#readmit(`its ${forMs} ms are over`)),
    };
    if (this.#config !== undefined) this.#check?.hasten(this.#config.fastInterval);
    this.#fitRecovery();
    this.#transitions.eject(this.#pool, this.#endpoint, { forMs, count, reason });
  }

  /** Stops everything; the state of the endpoint stays as it is. */
  close(): void {
    this.#check?.stop();
    this.#recovery?.stop();
    this.#ejection?.cancelTimer();
  }

  /** One result of the active check; returns the time to the next. */
  #onCheck(config: HealthCheckConfig, result: ProbeResult, startedMs: number): number {
    const endpoint = this.#endpoint;
    const before = this.#state;
    if (result.untried === true) return this.#onUntried(config, result.detail);
    const after = afterCheck(before, result.passed, config);
    this.#state = after;
    if (after.health === before.health) {
      const needed = result.passed ? config.rise : config.fall;
      endpoint.healthReason =
        after.streak > 0 ? `${result.detail}, ${after.streak} of ${needed}` : result.detail;
    } else {
      const streak = before.health === 'unknown' ? 'first check' : `${before.streak + 1} in a row`;
      this.#transitions.setHealth(this.#pool, endpoint, after.health, `${result.detail}, ${streak}`);
    }
    this.#weighForEjection(result, startedMs);
    const intervalMs = checkIntervalMs(this.#state, config, this.#ejection !== undefined);
    return withJitter(intervalMs, config.jitterPercent, this.#deps.random.next());
  }

  /** Nothing was learned of the endpoint: it stays what it is, and is tried again soon. */
  #onUntried(config: HealthCheckConfig, reason: string): number {
    this.#endpoint.healthReason = reason;
    this.#transitions.untried(this.#pool, this.#endpoint, reason);
    return withJitter(
      checkIntervalMs(this.#state, config, true),
      config.jitterPercent,
      this.#deps.random.next(),
    );
  }

  /** What a result of the active check means for the ejection. */
  #weighForEjection(result: ProbeResult, startedMs: number): void {
    const ejection = this.#ejection;
    if (ejection === undefined || startedMs < ejection.sinceMs) return;
    if (!result.passed) {
      ejection.wasFailing = true;
      ejection.passed = 0;
      return;
    }
    ejection.passed++;
    if (ejection.wasFailing && ejection.passed >= READMIT_AFTER) {
      this.#readmit(`${result.detail}, ${ejection.passed} in a row`);
    }
  }

  /** Without an active check, an ejected endpoint is tried by connecting to it, if that is what it is for. */
  #fitRecovery(): void {
    const wanted = this.#ejection !== undefined && this.#config === undefined && this.#deps.connects();
    if (wanted === (this.#recovery !== undefined)) return;
    this.#recovery?.stop();
    this.#recovery = undefined;
    if (!wanted) return;
    const { address } = this.#endpoint.config;
    const probe = tcpProbe(this.#deps, address, this.#pool.config.timeouts.connect);
    this.#recovery = new ProbeLoop(this.#deps.clock, probe, (result) => this.#onRecoveryProbe(result), 0);
  }

  #onRecoveryProbe(result: ProbeResult): number {
    const ejection = this.#ejection;
    if (ejection !== undefined) {
      if (result.untried === true) return RECOVERY_INTERVAL_MS;
      if (!result.passed) ejection.wasFailing = true;
      else if (ejection.wasFailing) this.#readmit('it accepts connections again');
    }
    return RECOVERY_INTERVAL_MS;
  }

  #readmit(reason: string): void {
    const ejection = this.#ejection;
    if (ejection === undefined) return;
    ejection.cancelTimer();
    this.#ejection = undefined;
    this.#readmittedMs = this.#deps.clock.nowMs();
    this.#fitRecovery();
    this.#transitions.readmit(this.#pool, this.#endpoint, reason);
  }
}
