import type { Address } from '../config/schema/address.ts';
import type { DatagramHandler, DatagramSocket } from '../net/datagram-socket.ts';
import { isExhaustion } from '../net/exhaustion.ts';
import { runTurn } from '../net/turn.ts';
import type { CancelTimer } from '../util/clock.ts';
import type { Matcher } from './expected-bytes.ts';
import { type Probe, type ProbeDeps, type ProbeResult, shownBytes, untried } from './probe.ts';

interface Plan {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly datagram: Buffer;
  /** Undefined when no answer is needed. */
  readonly matcher: Matcher | undefined;
}

/**
 * Sends a datagram. With a matcher it passes at the first answer that matches; answers that do not are passed over until
 * `timeoutMs`. Without, it passes with any answer, or when nobody has refused by then.
 */
export function udpProbe(
  deps: ProbeDeps,
  address: Address,
  datagram: Buffer,
  matcher: Matcher | undefined,
  timeoutMs: number,
): Probe {
  const plan: Plan = { address, timeoutMs, datagram, matcher };
  return (done) => {
    const run = new UdpProbeRun(deps, plan, done);
    return () => run.cancel();
  };
}

/** One datagram under way. */
class UdpProbeRun implements DatagramHandler {
  readonly #deps: ProbeDeps;
  readonly #plan: Plan;
  readonly #done: (result: ProbeResult) => void;
  readonly #cancelTimeout: CancelTimer;
  #socket: DatagramSocket | undefined = undefined;
  /** What came instead of the answer. */
  #other = '';
  #over = false;

  constructor(deps: ProbeDeps, plan: Plan, done: (result: ProbeResult) => void) {
    this.#deps = deps;
    this.#plan = plan;
    this.#done = done;
    this.#cancelTimeout = deps.clock.after(plan.timeoutMs, () => runTurn(() => this.#onTimeout()));
    deps.resolve(plan.address.host).then(
      (ips) => this.#send(ips[0]!),
      (error: unknown) => this.#finish(false, `name not resolved (${codeOf(error)})`),
    );
  }

  #send(ip: string): void {
    if (this.#over) return;
    try {
      this.#socket = this.#deps.connectDatagrams(ip, this.#plan.address.port, this);
    } catch (error) {
      const code = codeOf(error);
      this.#tell(
        isExhaustion(code)
          ? untried(`not checked (${code})`)
          : { passed: false, detail: `cannot send (${code})` },
      );
      return;
    }
    const { datagram } = this.#plan;
    if (this.#socket.send(datagram, datagram.length) === 'refused') this.onRefused('ECONNREFUSED');
  }

  onDatagram(bytes: Buffer, length: number): void {
    const { matcher } = this.#plan;
    const answer = bytes.subarray(0, length);
    const match = matcher?.match(answer);
    if (match === 'more' || match === 'never')
      this.#other = matcher?.describe?.(answer) ?? shownBytes(answer);
    else this.#finish(true, `it answered${described(matcher, answer)}`);
  }

  onRefused(code: string): void {
    this.#finish(false, code === 'ECONNREFUSED' ? `refused (${code})` : `cannot be reached (${code})`);
  }

  #onTimeout(): void {
    const { matcher, timeoutMs } = this.#plan;
    if (matcher === undefined) this.#finish(this.#socket !== undefined, `not refused within ${timeoutMs} ms`);
    else if (this.#other === '') this.#finish(false, `no answer within ${timeoutMs} ms`);
    else this.#finish(false, `no answer that ${matcher.words} within ${timeoutMs} ms, but ${this.#other}`);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#socket?.close();
  }

  #finish(passed: boolean, detail: string): void {
    this.#tell({ passed, detail });
  }

  #tell(result: ProbeResult): void {
    if (this.#over) return;
    this.cancel();
    this.#done(result);
  }
}

function described(matcher: Matcher | undefined, answer: Buffer): string {
  const words = matcher?.describe?.(answer);
  return words === undefined ? '' : ` ${words}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
