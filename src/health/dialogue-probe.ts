import { type Address } from '../config/schema/address.ts';
import type { FailureCode } from '../model/failures.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import type { Dialler } from '../net/dial.ts';
import { runTurn } from '../net/turn.ts';
import { failedDial, type Probe, type ProbeDeps, type ProbeResult, shownBytes } from './probe.ts';

/** What the bytes received so far in a step mean. */
export type Verdict =
  | { readonly kind: 'more' }
  /** The step is done, and these many bytes belong to it; the next begins with what follows. */
  | { readonly kind: 'met'; readonly bytes: number }
  /** The whole check has passed, whatever steps are left. `farewell` is sent before the connection is closed. */
  | { readonly kind: 'passed'; readonly detail: string; readonly farewell?: Buffer }
  | { readonly kind: 'failed'; readonly detail: string };

export const MORE: Verdict = { kind: 'more' };

/** One step of a dialogue: something is sent, or expected, or both. */
export interface Step {
  /** In words, for failures: `PING`. */
  readonly name: string;
  readonly send: Buffer | undefined;
  /** Asked each time that bytes arrive, with all of this step; absent when no answer is waited for. */
  readonly judge: ((received: Buffer) => Verdict) | undefined;
}

/** As much of an answer is kept and judged; a step that is not met by then has failed. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** A dialogue made ready. */
interface Plan {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly steps: readonly Step[];
  /** What is said when all steps are done. */
  readonly passedDetail: string;
}

/**
 * Connects, goes through the steps, and closes. It passes when every step is met within `timeoutMs`, connecting included. No more
 * than `MAX_ANSWER_BYTES` of an answer are kept, however much is sent.
 */
export function dialogueProbe(
  deps: ProbeDeps,
  address: Address,
  steps: readonly Step[],
  passedDetail: string,
  timeoutMs: number,
): Probe {
  const plan: Plan = { address, timeoutMs, steps, passedDetail };
  return (done) => {
    const run = new DialogueRun(deps, plan, done);
    return () => run.cancel();
  };
}

/** One dialogue under way. */
class DialogueRun implements Dialler, ConnectionHandler {
  readonly #plan: Plan;
  readonly #done: (result: ProbeResult) => void;
  readonly #cancelTimeout: () => void;
  readonly #cancelDial: () => void;
  #connection: Connection | undefined = undefined;
  #next = 0;
  /** The step whose answer is waited for. */
  #step: Step | undefined = undefined;
  #received: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(deps: ProbeDeps, plan: Plan, done: (result: ProbeResult) => void) {
    this.#plan = plan;
    this.#done = done;
    const { address, timeoutMs } = plan;
    this.#cancelTimeout = deps.clock.after(timeoutMs, () => this.#onTimeout());
    this.#cancelDial = deps.dial(deps.wheel, address.host, address.port, timeoutMs, this);
  }

  cancel(): void {
    if (!this.#end()) return;
    if (this.#connection === undefined) this.#cancelDial();
    else this.#connection.reset();
  }

  onConnected(connection: Connection): ConnectionHandler {
    this.#connection = connection;
    this.#advance();
    return this;
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#tell(failedDial(code, detail));
  }

  onData(bytes: Buffer): void {
    if (this.#over) return;
    const room = MAX_ANSWER_BYTES - this.#received.length;
    this.#received = Buffer.concat([this.#received, bytes.subarray(0, room)]);
    this.#advance();
  }

  /** Sends and judges as far as what has arrived goes. */
  #advance(): void {
    while (!this.#over) {
      const step = this.#step ?? this.#begin();
      if (step === undefined) {
        this.#finish(true, this.#plan.passedDetail);
        return;
      }
      if (step.judge === undefined) {
        this.#step = undefined;
        continue;
      }
      if (this.#received.length === 0) return;
      const verdict = step.judge(this.#received);
      switch (verdict.kind) {
        case 'more':
          if (this.#received.length >= MAX_ANSWER_BYTES)
            this.#finish(false, `${step.name}: not what was expected within ${MAX_ANSWER_BYTES} bytes`);
          return;
        case 'met':
          this.#received = this.#received.subarray(verdict.bytes);
          this.#step = undefined;
          break;
        case 'passed':
          if (verdict.farewell !== undefined) this.#write(verdict.farewell);
          this.#finish(true, verdict.detail);
          return;
        case 'failed':
          this.#finish(false, verdict.detail);
          return;
      }
    }
  }

  #begin(): Step | undefined {
    const step = this.#plan.steps[this.#next++];
    this.#step = step;
    if (step?.send !== undefined) this.#write(step.send);
    return step;
  }

  #write(bytes: Buffer): void {
    this.#connection!.write(bytes, 0, bytes.length);
  }

  onEnd(): void {
    this.#lost('closed the connection');
  }

  onClose(cause: CloseCause): void {
    if (cause === 'refused') this.#lost('does not accept our certificate, or wants one');
    else this.#lost(cause === 'reset' ? 'reset the connection' : 'closed the connection');
  }

  onCongested(): void {}

  onDrain(): void {}

  #lost(what: string): void {
    this.#finish(false, `${this.#where()}: the endpoint ${what}${this.#soFar()}`);
  }

  #onTimeout(): void {
    const { timeoutMs } = this.#plan;
    if (this.#connection === undefined) this.#cancelDial();
    const missing =
      this.#connection === undefined
        ? `no connection within ${timeoutMs} ms`
        : `not what was expected within ${timeoutMs} ms${this.#soFar()}`;
    runTurn(() =>
      this.#finish(false, this.#connection === undefined ? missing : `${this.#where()}: ${missing}`),
    );
  }

  #where(): string {
    return this.#step?.name ?? 'check';
  }

  #soFar(): string {
    return this.#received.length === 0 ? ' without an answer' : ` after ${shownBytes(this.#received)}`;
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#cancelTimeout();
    return true;
  }

  #finish(passed: boolean, detail: string): void {
    this.#tell({ passed, detail });
  }

  #tell(result: ProbeResult): void {
    if (!this.#end()) return;
    this.#connection?.close();
    this.#done(result);
  }
}
