import { valueOf } from './strict-fields.ts';
import type { HttpMessage } from './strict-http.ts';
import { dial, type HostPort, type Wire } from './wire.ts';

/** One request of a load, and what became of it. */
export interface Shot {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** Milliseconds since the load began. */
  readonly startedMs: number;
  durationMs: number;
  /** 0 when no whole answer came. */
  status: number;
  /** The endpoint that answered. */
  endpoint: string;
  /** The answer was the answer to another request. */
  mixedUp: boolean;
  retryAfter: boolean;
  /** Why no whole answer came. */
  error: string;
}

export interface LoadOptions {
  readonly address: HostPort;
  readonly ratePerSecond: number;
  /** Share of requests on a connection of their own. */
  readonly freshShare?: number;
  /** Share of POST requests. */
  readonly postShare?: number;
  readonly timeoutMs?: number;
}

const BODY = 'p'.repeat(300);
let loads = 0;

/** Sends requests at a steady rate, whatever becomes of them, until it is stopped. */
export class Load {
  readonly shots: Shot[] = [];
  readonly #options: Required<LoadOptions>;
  readonly #idle: Wire[] = [];
  readonly #underway = new Set<Promise<void>>();
  readonly #startedAt = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #prefix: string;

  constructor(options: LoadOptions) {
    this.#options = { freshShare: 0.2, postShare: 0.5, timeoutMs: 8000, ...options };
    this.#prefix = `${process.pid}-${++loads}`;
    this.#timer = setInterval(() => this.#fire(), 5);
  }

  /** Milliseconds since the load began. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  #fire(): void {
    const due = Math.floor((this.elapsedMs / 1000) * this.#options.ratePerSecond);
    while (this.shots.length < due) {
      const shot = this.#shot(this.shots.length);
      this.shots.push(shot);
      const underway = this.#send(shot).finally(() => this.#underway.delete(underway));
      this.#underway.add(underway);
    }
  }

  #shot(index: number): Shot {
    return {
      id: `${this.#prefix}-${index}`,
      method: ((index * 7) % 10) / 10 < this.#options.postShare ? 'POST' : 'GET',
      startedMs: this.elapsedMs,
      durationMs: 0,
      status: 0,
      endpoint: '',
      mixedUp: false,
      retryAfter: false,
      error: '',
    };
  }

  async #send(shot: Shot): Promise<void> {
    const fresh = ((this.shots.length * 3) % 10) / 10 < this.#options.freshShare;
    let wire: Wire | undefined;
    let last = fresh;
    try {
      wire = fresh ? undefined : this.#idle.pop();
      if (wire !== undefined && wire.ending !== 'open') wire = undefined;
      wire ??= await dial(this.#options.address);
      const post = shot.method === 'POST';
      const framing = post ? `Content-Length: ${BODY.length}\r\n` : '';
      wire.send(
        `${shot.method} /work HTTP/1.1\r\nHost: load.test\r\nX-Id: ${shot.id}\r\n${framing}\r\n${post ? BODY : ''}`,
      );
      const parsed = await wire.response(shot.method, this.#options.timeoutMs);
      if (parsed.kind === 'message') {
        this.#note(shot, parsed.message);
        last = valueOf(parsed.message, 'connection') === 'close';
      } else
        shot.error = parsed.kind === 'violation' ? parsed.reason : `incomplete, connection ${wire.ending}`;
    } catch (error) {
      shot.error = String(error);
    }
    shot.durationMs = this.elapsedMs - shot.startedMs;
    if (wire === undefined) return;
    wire.forget();
    if (last || shot.status === 0 || wire.ending !== 'open') wire.close();
    else this.#idle.push(wire);
  }

  #note(shot: Shot, answer: HttpMessage): void {
    shot.status = answer.status;
    shot.endpoint = valueOf(answer, 'x-endpoint') ?? '';
    shot.retryAfter = valueOf(answer, 'retry-after') !== undefined;
    const said = valueOf(answer, 'x-id');
    const inBody = answer.body.toString('latin1').split(' ')[0];
    shot.mixedUp = said !== undefined && (said !== shot.id || (answer.status === 200 && inBody !== shot.id));
  }

  /** Sends nothing more, and waits for what is under way. */
  async stop(): Promise<readonly Shot[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#underway);
    for (const wire of this.#idle) wire.close();
    return this.shots;
  }
}

/** Shots without a good answer. */
export function failed(shots: readonly Shot[], method?: Shot['method']): Shot[] {
  return shots.filter((shot) => shot.status !== 200 && (method === undefined || shot.method === method));
}

/** One line a kind of failure, for messages. */
export function summary(shots: readonly Shot[]): string {
  const kinds = new Map<string, number>();
  for (const shot of failed(shots)) {
    const kind = `${shot.method} ${shot.status} ${shot.error}`.trim();
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].map(([kind, count]) => `${count} x ${kind}`).join('; ');
}
