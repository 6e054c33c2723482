import { enterTurn, leaveTurn, runTurn } from './turn.ts';

/**
 * HTTP/3 is the runtime's own: QUIC, TLS, frames and QPACK. What comes through is a request with its body and a response with its
 * body; neither 1xx nor trailers nor tunnels do. This file turns its promises and streams into the calls that the rooms above expect.
 */

/** One request, and the way back. */
export interface Http3Exchange {
  readonly method: string;
  /** `https://authority/path?query` as the runtime understood it. */
  readonly url: string;
  /** Lower-case names; several lines of one name are one line already. */
  readonly fields: Headers;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly hasBody: boolean;
  /** Output waits to be taken: hold back until `onDrain`. */
  readonly congested: boolean;
  /** Starts and holds back the request body. */
  resume(): void;
  pause(): void;
  /**
   * Sends the head of the response. A short body of known length leaves together with it, when it is whole: only then can the runtime tell
   * the length.
   * @param length Of the body; 0 for none, undefined when it is not known.
   */
  respond(status: number, fields: Headers, length: number | undefined): void;
  /** Sends a piece of the body; it is copied. */
  write(bytes: Buffer, start: number, end: number): void;
  end(): void;
  /**
   * Gives up. Before the head: a plain 502. Behind it the runtime has no way to reset the stream: it stays open without an end, so that
   * nobody takes what came for the whole, until the client leaves.
   */
  abort(): void;
}

/** What happens to it. */
export interface Http3Handler {
  onBody(bytes: Buffer): void;
  onBodyEnd(): void;
  onDrain(): void;
  /** The client gave it up, or its connection is gone. */
  onGone(): void;
}

/** A certificate that the server offers, for the names in it. */
export interface Http3Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Of the key; empty for none. */
  readonly passphrase: string;
  /** Chosen by SNI; undefined for the default. */
  readonly serverName: string | undefined;
}

export interface Http3Options {
  readonly host: string;
  readonly port: number;
  readonly certificates: readonly Http3Certificate[];
  /** Without progress, milliseconds. */
  readonly idleTimeoutMs: number;
  /** Serves a request; called in a turn. */
  readonly accept: (exchange: Http3Exchange) => Http3Handler;
}

/** Listens on UDP. */
export interface Http3Server {
  /** Takes no more requests; those under way go on. */
  stop(): void;
}

/** Bodies of up to this many bytes leave in one piece, if they have a type: the runtime would invent one, which makes browsers save the page. */
const LONGEST_WHOLE = 64 * 1024;

/** The runtime holds idle timeouts of up to this many seconds. */
const LONGEST_IDLE_SECONDS = 255;

/**
 * Opens the UDP port. Several processes may share it.
 * @throws Error when the address cannot be had, or a certificate is not one.
 */
export function serveHttp3(options: Http3Options): Http3Server {
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    http3: true,
    http1: false,
    reusePort: true,
    development: false,
    idleTimeout: Math.min(LONGEST_IDLE_SECONDS, Math.ceil(options.idleTimeoutMs / 1000)),
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    tls: options.certificates.map(({ cert, key, passphrase, serverName }) => ({
      cert,
      key,
      ...(passphrase === '' ? {} : { passphrase }),
      ...(serverName === undefined ? {} : { serverName }),
    })),
    fetch: (request, listening) => {
      const peer = listening.requestIP(request);
      const exchange = new RuntimeExchange(request, peer?.address ?? '', peer?.port ?? 0);
      runTurn(() => exchange.begin(options.accept(exchange)));
      return exchange.response;
    },
    error: () => new Response(null, { status: 500 }),
  });
  return {
    stop: () => void server.stop(),
  };
}

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

class RuntimeExchange implements Http3Exchange {
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
