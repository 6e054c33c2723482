import {
  type DatagramAcceptor,
  type DatagramHandler,
  type DatagramListener,
  type DatagramSocket,
  type Party,
  PARTY_WORDS,
  type Sent,
} from '../datagram-socket.ts';
import { runTurn } from '../turn.ts';
import { partyIp, partyPort, writeParty } from '../party.ts';

/** Datagrams that are kept while a socket opens; more are lost. */
const MAX_WAITING = 16;

type RuntimeUdp = Bun.udp.Socket<'buffer'>;
type ConnectedUdp = Bun.udp.ConnectedSocket<'buffer'>;

function codeOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : String(error);
}

/** A connected UDP socket of the runtime, which opens asynchronously. */
class RuntimeDatagramSocket implements DatagramSocket {
  readonly #handler: DatagramHandler;
  #socket: ConnectedUdp | undefined = undefined;
  #waiting: Buffer[] = [];
  #open = true;

  constructor(ip: string, port: number, handler: DatagramHandler) {
    this.#handler = handler;
    Bun.udpSocket({
      hostname: ip.includes(':') ? '::' : '0.0.0.0',
      connect: { hostname: ip, port },
      socket: {
        data: (_socket, bytes) => {
          if (this.#open) runTurn(() => handler.onDatagram(bytes, bytes.length));
        },
        // The types say that the socket comes first, but the error does.
        error: (...told: readonly unknown[]) =>
          this.#refused(codeOf(told.find((one) => one instanceof Error))),
      },
    }).then(
      (socket) => this.#opened(socket),
      (error: unknown) => this.#refused(codeOf(error)),
    );
  }

  #opened(socket: ConnectedUdp): void {
    if (!this.#open) {
      socket.close();
      return;
    }
    this.#socket = socket;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.send(bytes, bytes.length);
  }

  #refused(code: string): void {
    if (this.#open) runTurn(() => this.#handler.onRefused(code));
  }

  send(bytes: Buffer, length: number): Sent {
    if (this.#socket === undefined) {
      if (this.#waiting.length === MAX_WAITING) return 'lost';
      this.#waiting.push(Buffer.from(bytes.subarray(0, length)));
      return 'sent';
    }
    try {
      return this.#socket.send(bytes.subarray(0, length)) ? 'sent' : 'lost';
    } catch {
      return 'refused';
    }
  }

  close(): void {
    this.#open = false;
    this.#waiting = [];
    this.#socket?.close();
  }
}

/** Opens a UDP socket to an IP address by the runtime. What cannot be opened is told as refused. */
export function connectRuntime(ip: string, port: number, handler: DatagramHandler): DatagramSocket {
  return new RuntimeDatagramSocket(ip, port, handler);
}

/** A bound UDP socket of the runtime. It does not say which of our addresses a datagram was sent to. */
class RuntimeDatagramListener implements DatagramListener {
  readonly #acceptor: DatagramAcceptor;
  #socket: RuntimeUdp | undefined = undefined;
  readonly #party: Party = new Int32Array(PARTY_WORDS);

  constructor(acceptor: DatagramAcceptor) {
    this.#acceptor = acceptor;
  }

  get port(): number {
    return this.#socket!.port;
  }

  async bind(ip: string, port: number): Promise<void> {
    this.#socket = await Bun.udpSocket({
      hostname: ip,
      port,
      socket: {
        data: (_socket, bytes, fromPort, fromIp) => {
          writeParty(this.#party, fromIp, fromPort);
          runTurn(() => this.#acceptor.onDatagram(bytes, bytes.length, this.#party));
        },
        // An ICMP message about an answer of ours: whose, it does not say.
        error: () => {},
      },
    });
  }

  send(party: Party, bytes: Buffer, length: number): void {
    try {
      if (this.#socket?.send(bytes.subarray(0, length), partyPort(party), partyIp(party)) !== true)
        this.#acceptor.onLost();
    } catch {
      this.#acceptor.onLost();
    }
  }

  stop(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/**
 * Binds and serves a UDP socket by the runtime.
 * @throws an error with `code` when the address cannot be bound.
 */
export async function listenRuntimeDatagrams(
  ip: string,
  port: number,
  acceptor: DatagramAcceptor,
): Promise<DatagramListener> {
  const listener = new RuntimeDatagramListener(acceptor);
  await listener.bind(ip, port);
  return listener;
}
