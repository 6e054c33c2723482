import net from 'node:net';

import { type Conversation, type HttpMessage, parseRequests } from './strict-http.ts';
import { type HostPort, Wire } from './wire.ts';

/** What an endpoint does with one connection. When it returns, the connection stays as the script left it. */
export type Script = (wire: Wire, index: number) => Promise<void> | void;

/** An answer with a length, as an ordinary endpoint gives it. */
export function plainAnswer(body: string, head = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n${head}\r\n${body}`;
}

/** What `echo` answers: which request it took this for. */
export function echoBody(request: HttpMessage): string {
  return `${request.method} ${request.target} ${request.body.length}`;
}

/** Reads requests in a row and answers each with what it understood; a request in doubt closes the connection. */
export async function echo(wire: Wire): Promise<void> {
  for (;;) {
    const parsed = await wire.request(60_000);
    if (parsed.kind !== 'message') break;
    wire.send(plainAnswer(parsed.message.method === 'HEAD' ? '' : echoBody(parsed.message)));
  }
  wire.close();
}

/**
 * An endpoint in the test process which does exactly what its script says and keeps every byte that it received.
 * The script may be changed at any time; it holds for connections accepted from then on.
 */
export class ScriptedEndpoint {
  script: Script;
  readonly wires: Wire[] = [];
  readonly address: HostPort;
  readonly #server: net.Server;

  private constructor(server: net.Server, script: Script) {
    this.#server = server;
    this.script = script;
    const { address, port } = server.address() as net.AddressInfo;
    this.address = { host: address, port };
    server.on('connection', (socket) => {
      const wire = new Wire(socket);
      this.wires.push(wire);
      void (async () => {
        await this.script(wire, this.wires.length - 1);
      })().catch(() => wire.close());
    });
  }

  static start(script: Script = echo): Promise<ScriptedEndpoint> {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ allowHalfOpen: true });
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new ScriptedEndpoint(server, script)));
    });
  }

  get name(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  /** Everything that was received, each connection read as requests in a row. */
  conversations(): Conversation[] {
    return this.wires.map((wire) => parseRequests(wire.received));
  }

  /** Every whole request that was received, connection by connection. */
  requests(): HttpMessage[] {
    return this.conversations().flatMap(({ messages }) => messages);
  }

  /** Forgets the connections so far, closing those that are open. */
  reset(): void {
    for (const wire of this.wires) wire.close();
    this.wires.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
