import type { DatagramHandler, DatagramSocket, Sent } from './datagram-socket.ts';
import { connectDatagrams } from './datagrams.ts';
import { knownAddresses, resolveHost } from './resolve.ts';
import { runTurn } from './turn.ts';

/** Datagrams that are kept while a name is looked up; more are lost. */
const MAX_WAITING = 16;

/** Waits for the address of a name, and then is the socket to it. */
class ResolvingDatagramSocket implements DatagramSocket {
  readonly #port: number;
  readonly #handler: DatagramHandler;
  #socket: DatagramSocket | undefined = undefined;
  #waiting: Buffer[] = [];
  #open = true;

  constructor(host: string, port: number, handler: DatagramHandler) {
    this.#port = port;
    this.#handler = handler;
    resolveHost(host).then(
      (ips) => runTurn(() => this.#resolved(ips[0]!)),
      (error: unknown) => runTurn(() => this.#failed(error)),
    );
  }

  #resolved(ip: string): void {
    if (!this.#open) return;
    try {
      this.#socket = connectDatagrams(ip, this.#port, this.#handler);
    } catch (error) {
      this.#failed(error);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.#socket.send(bytes, bytes.length);
  }

  #failed(error: unknown): void {
    if (!this.#open) return;
    this.#waiting = [];
    this.#handler.onRefused(error instanceof Error && 'code' in error ? String(error.code) : String(error));
  }

  send(bytes: Buffer, length: number): Sent {
    if (this.#socket !== undefined) return this.#socket.send(bytes, length);
    if (this.#waiting.length === MAX_WAITING) return 'lost';
    this.#waiting.push(Buffer.from(bytes.subarray(0, length)));
    return 'sent';
  }

  close(): void {
    this.#open = false;
    this.#waiting = [];
    this.#socket?.close();
  }
}

/**
 * Opens a socket to a host, by name or address. What is sent before a name is resolved waits; a name that cannot be resolved is told
 * as a refusal.
 * @throws an error with `code` when there is no descriptor or no route.
 */
export function openDatagrams(host: string, port: number, handler: DatagramHandler): DatagramSocket {
  const known = knownAddresses(host);
  return known === undefined
    ? new ResolvingDatagramSocket(host, port, handler)
    : connectDatagrams(known[0]!, port, handler);
}
