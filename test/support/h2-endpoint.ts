import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';

/** What an endpoint does with a request. */
export type OnStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  session: ServerHttp2Session,
) => void;

/** An endpoint that speaks HTTP/2, by the runtime's own implementation. */
export class H2Endpoint implements AsyncDisposable {
  readonly #server: Http2Server | Http2SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly sessions: ServerHttp2Session[] = [];
  /** Sessions so far, the ended ones too. */
  sessionCount = 0;
  streamCount = 0;

  private constructor(server: Http2Server | Http2SecureServer) {
    this.#server = server;
  }

  /** @param tls Certificate and key, for HTTP/2 over TLS. */
  static async start(
    onStream: OnStream = echoStream,
    settings: Settings = {},
    tls?: { readonly cert: Buffer; readonly key: Buffer },
  ): Promise<H2Endpoint> {
    const server = tls === undefined ? createServer({ settings }) : createSecureServer({ settings, ...tls });
    const endpoint = new H2Endpoint(server);
    server.on('connection', (socket: Socket) => endpoint.#sockets.add(socket));
    server.on('session', (session) => {
      endpoint.sessionCount++;
      endpoint.sessions.push(session);
      session.on('error', () => {});
      session.on('close', () => endpoint.sessions.splice(endpoint.sessions.indexOf(session), 1));
    });
    server.on('stream', (stream, headers) => {
      endpoint.streamCount++;
      stream.on('error', () => {});
      onStream(stream as ServerHttp2Stream, headers, stream.session as ServerHttp2Session);
    });
    server.on('sessionError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return endpoint;
  }

  /** Breaks every connection, without a word of HTTP/2. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  get name(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

/** The whole content of a stream. */
export async function contentOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Answers with method, target and length of the content, as the scripted endpoints of HTTP/1.1 do. */
function echoStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  let bytes = 0;
  stream.on('data', (piece: Buffer) => (bytes += piece.length));
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'text/plain' });
    stream.end(`${headers[':method']} ${headers[':path']} ${bytes}`);
  });
}
