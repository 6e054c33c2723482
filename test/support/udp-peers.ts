import { freePorts } from './free-ports.ts';

/** UDP endpoints and clients with sockets of the runtime, for tests. */

const PATIENCE_MS = 10_000;

/** An endpoint that answers as it is told, and remembers who asked. */
export class UdpEndpoint implements AsyncDisposable {
  readonly name: string;
  port = 0;
  readonly received: string[] = [];
  /** Ports of those who asked, each once. */
  readonly askers = new Set<number>();
  readonly #answer: (asked: Buffer) => readonly (string | Uint8Array)[];
  #socket: Bun.udp.Socket<'buffer'> | undefined;

  private constructor(name: string, answer: (asked: Buffer) => readonly (string | Uint8Array)[]) {
    this.name = name;
    this.#answer = answer;
  }

  /** Answers `name:what was asked`, unless told otherwise. */
  static async start(
    name: string,
    answer: (asked: Buffer) => readonly (string | Uint8Array)[] = (asked) => [`${name}:${asked.toString()}`],
    host = '127.0.0.1',
  ): Promise<UdpEndpoint> {
    const endpoint = new UdpEndpoint(name, answer);
    await endpoint.open(host);
    return endpoint;
  }

  /** Also again, at the port that it had. */
  async open(host = '127.0.0.1'): Promise<void> {
    if (this.port === 0) [this.port = 0] = await freePorts(1);
    this.#socket = await Bun.udpSocket({
      hostname: host,
      port: this.port,
      socket: {
        data: (socket, bytes, port, ip) => {
          this.received.push(bytes.toString());
          this.askers.add(port);
          for (const piece of this.#answer(bytes)) socket.send(piece, port, ip);
        },
        error: () => {},
      },
    });
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** From now on its port refuses. */
  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.resolve();
  }
}

/** A client with a port of its own. */
export class UdpClient implements Disposable {
  readonly answers: Buffer[] = [];
  readonly #socket: Bun.udp.ConnectedSocket<'buffer'>;
  #wake: () => void = () => {};

  private constructor(
    socket: Bun.udp.ConnectedSocket<'buffer'>,
    hear: (onAnswer: (bytes: Buffer) => void) => void,
  ) {
    this.#socket = socket;
    hear((bytes) => {
      this.answers.push(bytes);
      this.#wake();
    });
  }

  static async open(port: number, host = '127.0.0.1'): Promise<UdpClient> {
    let onAnswer: (bytes: Buffer) => void = () => {};
    const socket = await Bun.udpSocket({
      hostname: host.includes(':') ? '::1' : '127.0.0.1',
      connect: { hostname: host, port },
      socket: { data: (_socket, bytes) => onAnswer(Buffer.from(bytes)), error: () => {} },
    });
    return new UdpClient(socket, (hear) => {
      onAnswer = hear;
    });
  }

  get port(): number {
    return this.#socket.port;
  }

  send(what: string | Uint8Array): void {
    this.#socket.send(what);
  }

  /** The next answer; undefined when none comes within `patienceMs`. */
  async next(patienceMs = PATIENCE_MS): Promise<Buffer | undefined> {
    if (this.answers.length === 0) {
      const woken = Promise.withResolvers<undefined>();
      this.#wake = () => woken.resolve(undefined);
      await Promise.race([woken.promise, Bun.sleep(patienceMs)]);
    }
    return this.answers.shift();
  }

  /** Sends and waits for the next answer. */
  async ask(what: string | Uint8Array, patienceMs = PATIENCE_MS): Promise<string | undefined> {
    this.send(what);
    return (await this.next(patienceMs))?.toString();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
