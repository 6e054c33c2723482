import tls from 'node:tls';

import { type HttpMessage, parseResponse } from './strict-http.ts';
import type { HostPort } from './wire.ts';

/** A TLS client of the runtime: another implementation than the one that is tested. */
export class TlsWire {
  readonly socket: tls.TLSSocket;
  ended = false;
  #received = Buffer.alloc(0);
  #cursor = 0;
  #changed: (() => void)[] = [];

  private constructor(socket: tls.TLSSocket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#notify();
    });
    for (const event of ['end', 'close', 'error'])
      socket.on(event, () => {
        this.ended = true;
        this.#notify();
      });
  }

  #notify(): void {
    for (const resume of this.#changed.splice(0)) resume();
  }

  /** Connects; rejects with the error of the handshake. */
  static connect({ host, port }: HostPort, options: tls.ConnectionOptions): Promise<TlsWire> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host, port, ...options });
      const wire = new TlsWire(socket);
      socket.once('secureConnect', () => resolve(wire));
      socket.once('error', reject);
    });
  }

  send(data: string | Uint8Array): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** The next final response. */
  async response(method = 'GET', timeoutMs = 10_000): Promise<HttpMessage> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const parsed = parseResponse(this.#received, this.#cursor, method, this.ended);
      if (parsed.kind === 'message') {
        this.#cursor = parsed.end;
        return parsed.message;
      }
      if (this.ended || performance.now() > deadline)
        throw new Error(`no response in ${JSON.stringify(this.#received.toString('latin1'))}`);
      await Promise.race([new Promise<void>((resolve) => this.#changed.push(resolve)), Bun.sleep(50)]);
    }
  }

  /** Sends a request without a body and waits for the response. */
  get(target: string, host: string, more = ''): Promise<HttpMessage> {
    this.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`);
    return this.response();
  }

  close(): void {
    this.socket.destroy();
  }
}
