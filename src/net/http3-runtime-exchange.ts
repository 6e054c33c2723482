import type { Http3Exchange, Http3Handler } from './http3-exchange.ts';
import { enterTurn, leaveTurn, runTurn } from './turn.ts';

/** Bodies of up to this many bytes leave in one piece, if they have a type: the runtime would invent one, which makes browsers save the page. */
const LONGEST_WHOLE = 64 * 1024;

/** What is used of a stream's reader. */
interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** Sink of a response body, as the runtime gives it. */
interface BodySink {
  write(bytes: Uint8Array): number | Promise<number>;
  flush(): unknown;
  end(): unknown;
}

/** One request of the runtime's server: turns its promises and streams into the calls that the rooms above expect. */
export class Http3RuntimeExchange implements Http3Exchange {
  readonly response: Promise<Response>;
  readonly method: string;
  readonly url: string;
  readonly fields: Headers;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly hasBody: boolean;
  congested = false;
  readonly #request: Request;
  #handler: Http3Handler | undefined = undefined;
  #answer: (response: Response) => void = () => {};
  #reader: BodyReader | undefined = undefined;
  #reading = false;
  #paused = false;
  #answered = false;
  #over = false;
  #sink: BodySink | undefined = undefined;
  /** What was written before the runtime asked for the body. */
  #early: Uint8Array[] = [];
  #ended = false;
  /** Head of a response that leaves together with its body. */
  #whole: { readonly status: number; readonly headers: Headers } | undefined = undefined;
  #finishBody: () => void = () => {};

  constructor(request: Request, remoteAddress: string, remotePort: number) {
    this.#request = request;
    this.method = request.method;
    this.url = request.url;
    this.fields = request.headers;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.hasBody = request.body !== null;
    this.response = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  begin(handler: Http3Handler): void {
    this.#handler = handler;
    this.#request.signal.addEventListener('abort', () => this.#gone());
    if (this.hasBody && !this.#over) this.resume();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#reading && !this.#over && this.#request.body !== null) void this.#read(this.#request.body);
  }

  pause(): void {
    this.#paused = true;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    this.#reading = true;
    try {
      this.#reader ??= body.getReader();
      while (!this.#paused && !this.#over) {
        const { done, value } = await this.#reader.read();
        if (this.#over) break;
        if (done || value === undefined) {
          runTurn(() => this.#handler?.onBodyEnd());
          return;
        }
        runTurn(() => this.#handler?.onBody(Buffer.from(value.buffer, value.byteOffset, value.byteLength)));
      }
      this.#reading = false;
    } catch {
      this.#gone();
    }
  }

  #gone(): void {
    if (this.#over) return;
    this.#close();
    runTurn(() => this.#handler?.onGone());
  }

  respond(status: number, fields: Headers, length: number | undefined): void {
    if (this.#answered || this.#over) return;
    const init = { status, headers: fields };
    const whole = length !== undefined && length > 0 && length <= LONGEST_WHOLE;
    if (whole && fields.has('content-type')) {
      this.#whole = init;
      return;
    }
    this.#answered = true;
    if (length === 0) {
      this.#answer(new Response(null, init));
      return;
    }
    const source: Bun.DirectUnderlyingSource<Uint8Array> = {
      type: 'direct',
      pull: (sink) => this.#bodyAsked(sink),
      cancel: () => this.#gone(),
    };
    this.#answer(new Response(new ReadableStream(source), init));
  }

  /** The body stays open until the promise is kept. */
  #bodyAsked(sink: BodySink): Promise<void> {
    this.#sink = sink;
    const whole = new Promise<void>((resolve) => {
      this.#finishBody = resolve;
    });
    enterTurn();
    for (const piece of this.#early) this.#put(piece);
    this.#early = [];
    if (this.#ended) this.#endBody();
    leaveTurn();
    return whole;
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (this.#over || start === end) return;
    // What is written is there for this call only; the runtime takes it later.
    const piece = Uint8Array.prototype.slice.call(bytes, start, end);
    if (this.#sink !== undefined) {
      this.#put(piece);
      return;
    }
    this.#early.push(piece);
    if (this.#whole === undefined) this.congested = true;
  }

  #put(piece: Uint8Array): void {
    const taken = this.#sink!.write(piece);
    if (typeof taken === 'number') {
      this.#sink!.flush();
      if (this.congested && this.#early.length > 0) this.#drained();
      return;
    }
    this.congested = true;
    void taken.then(
      () => this.#drained(),
      () => this.#gone(),
    );
  }

  #drained(): void {
    if (this.#over || !this.congested) return;
    this.congested = false;
    runTurn(() => this.#handler?.onDrain());
  }

  end(): void {
    if (this.#whole !== undefined) {
      this.#answered = true;
      this.#answer(new Response(Buffer.concat(this.#early), this.#whole));
      this.#close();
      return;
    }
    this.#ended = true;
    if (this.#sink !== undefined) this.#endBody();
  }

  #endBody(): void {
    this.#sink?.end();
    this.#finishBody();
    this.#close();
  }

  abort(): void {
    if (this.#over) return;
    this.#whole = undefined;
    this.respond(502, new Headers(), 0);
    this.#close();
  }

  #close(): void {
    this.#over = true;
    this.#sink = undefined;
    this.#early = [];
    if (this.#reader !== undefined) void this.#reader.cancel().catch(() => {});
  }
}
