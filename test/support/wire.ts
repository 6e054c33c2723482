import net from 'node:net';

import { type HttpMessage, parseRequest, parseResponse, type Parsed } from './strict-http.ts';

/** How long what must come may take: far longer than it does, and shorter than what else would bring it, such as idle limits. */
const PATIENCE_MS = 10_000;
/** How much of what came an error shows. */
const MESSAGE_LENGTH = 400;

/** Where something listens. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Text as bytes, one character a byte. */
function bytes(data: string | Uint8Array): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data);
}

/** How the other side has ended: not yet, in order (FIN), or with a reset. */
export type Ending = 'open' | 'fin' | 'reset';

/**
 * One end of a TCP connection for tests: exact bytes out, exact bytes in. It does nothing by itself, not even close in
 * answer to a FIN, so that every byte and every close on the wire was asked for by the test.
 */
export class Wire {
  readonly socket: net.Socket;
  ending: Ending = 'open';
  /** Offset of the first byte that `request` or `response` has not consumed. */
  cursor = 0;
  receivedBytes = 0;
  /** Interim responses that `response` went over. */
  readonly interim: HttpMessage[] = [];
  #pieces: Buffer[] = [];
  #changed: (() => void)[] = [];

  constructor(socket: net.Socket, options: { readonly keep?: boolean } = {}) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => {
      this.receivedBytes += data.length;
      if (options.keep !== false) this.#pieces.push(Buffer.from(data));
      this.#notify();
    });
    socket.on('end', () => this.#ended('fin'));
    socket.on('error', () => this.#ended('reset'));
    socket.on('close', () => this.#ended('reset'));
  }

  /** Our port, by which the other side knows us. */
  get localPort(): number {
    return this.socket.localPort ?? 0;
  }

  #ended(ending: Ending): void {
    if (this.ending === 'open') this.ending = ending;
    this.#notify();
  }

  #notify(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const resume of waiting) resume();
  }

  /** All bytes so far. */
  get received(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  /** Forgets the bytes that were consumed. */
  forget(): void {
    this.#pieces = [this.received.subarray(this.cursor)];
    this.cursor = 0;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  send(data: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes(data));
  }

  /** Sends pieces as separate segments, `delayMs` apart. */
  async sendPieces(pieces: readonly (string | Uint8Array)[], delayMs: number): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await Bun.sleep(delayMs);
      if (this.ending === 'reset') return;
      this.send(piece);
    }
  }

  /** Sends a FIN; the other direction stays open. */
  halfClose(): void {
    this.socket.end();
  }

  /** Sends a RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /**
   * Whether `holds` comes true within `withinMs`; looks at every change. For those to whom both answers are right: who
   * needs it to come true takes `until`.
   */
  async comes(holds: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!holds()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return this.#comesLate(holds);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  /** A process that stood still has what came meanwhile still to read when its timers are long due. */
  async #comesLate(holds: () => boolean): Promise<boolean> {
    await Bun.sleep(1);
    await new Promise(setImmediate);
    return holds();
  }

  /** Whether the other side ends within `withinMs`. */
  ends(withinMs: number): Promise<boolean> {
    return this.comes(() => this.ending !== 'open', withinMs);
  }

  /**
   * Waits until `holds` does, which tells of what came here, and looks at every change. An error that says what came
   * instead when it does not in time, or the other side ends before.
   */
  async until(holds: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
    await this.comes(() => holds() || this.ending !== 'open', timeoutMs);
    if (holds()) return;
    const tail = this.text.slice(-MESSAGE_LENGTH);
    throw new Error(
      `not within ${timeoutMs} ms: ${holds.toString()}; connection ${this.ending}, ${this.receivedBytes} bytes came, the last: ${JSON.stringify(tail)}`,
    );
  }

  /** Waits until the other side has ended. An error when it does not in time. */
  untilEnd(timeoutMs = PATIENCE_MS): Promise<void> {
    return this.until(() => this.ending !== 'open', timeoutMs);
  }

  /** Waits until nothing has come for `quietMs`, or the end. */
  async untilQuiet(quietMs: number): Promise<void> {
    for (;;) {
      const before = this.receivedBytes;
      const changed = await this.comes(
        () => this.receivedBytes !== before || this.ending !== 'open',
        quietMs,
      );
      if (!changed || this.ending !== 'open') return;
    }
  }

  async #next(parse: () => Parsed, enough: (parsed: Parsed) => boolean, timeoutMs: number): Promise<Parsed> {
    let parsed = parse();
    let length = this.receivedBytes;
    let ending = this.ending;
    await this.comes(() => {
      if (length !== this.receivedBytes || ending !== this.ending) {
        length = this.receivedBytes;
        ending = this.ending;
        parsed = parse();
      }
      return enough(parsed) || this.ending !== 'open';
    }, timeoutMs);
    return parsed;
  }

  /** The next whole request; incomplete when the connection or the time ended before. */
  async request(timeoutMs = PATIENCE_MS): Promise<Parsed> {
    const parse = () => parseRequest(this.received, this.cursor);
    const parsed = await this.#next(parse, ({ kind }) => kind !== 'incomplete', timeoutMs);
    if (parsed.kind === 'message') this.cursor = parsed.end;
    return parsed;
  }

  /** The head of the next request, whose body may still be on its way; nothing is consumed. */
  async head(timeoutMs = PATIENCE_MS): Promise<HttpMessage | undefined> {
    const parse = () => parseRequest(this.received, this.cursor);
    const parsed = await this.#next(parse, (p) => p.kind !== 'incomplete' || p.head !== undefined, timeoutMs);
    if (parsed.kind === 'message') return parsed.message;
    return parsed.kind === 'incomplete' ? parsed.head : undefined;
  }

  /** The next final response; interim ones (but 101, which is final) go to `interim`. */
  async response(method = 'GET', timeoutMs = PATIENCE_MS): Promise<Parsed> {
    for (;;) {
      const parse = () => parseResponse(this.received, this.cursor, method, this.ending === 'fin');
      const parsed = await this.#next(parse, ({ kind }) => kind !== 'incomplete', timeoutMs);
      if (parsed.kind !== 'message') return parsed;
      this.cursor = parsed.end;
      const { status } = parsed.message;
      if (status >= 200 || status === 101) return parsed;
      this.interim.push(parsed.message);
    }
  }

  /** The next final response, or an error that says what came instead. */
  async answer(method = 'GET', timeoutMs = PATIENCE_MS): Promise<HttpMessage> {
    const parsed = await this.response(method, timeoutMs);
    if (parsed.kind === 'message') return parsed.message;
    const why = parsed.kind === 'violation' ? parsed.reason : `incomplete, connection ${this.ending}`;
    throw new Error(
      `no answer (${why}) in ${JSON.stringify(this.text.slice(this.cursor, this.cursor + MESSAGE_LENGTH))}`,
    );
  }
}

/** Opens a connection. With `paused`, nothing is read until `socket.resume()`; with `keep: false`, bytes are only counted. */
export function dial(
  address: HostPort,
  options: { readonly paused?: boolean; readonly keep?: boolean } = {},
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address.host, port: address.port, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      const wire = new Wire(socket, options);
      if (options.paused === true) socket.pause();
      resolve(wire);
    });
  });
}

/** One request on a connection of its own. */
export async function ask(address: HostPort, request: string, timeoutMs = PATIENCE_MS): Promise<HttpMessage> {
  const wire = await dial(address);
  try {
    wire.send(request);
    return await wire.answer(request.slice(0, request.indexOf(' ')), timeoutMs);
  } finally {
    wire.close();
  }
}
