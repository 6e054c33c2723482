import type { Address } from '../config/schema/address.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { acceptFrom, type Acceptor, listen, type ListeningSocket } from '../net/listen.ts';
import { turnNowMs } from '../net/turn.ts';
import { cannotListen } from './cannot-listen.ts';
import { CoveredSockets } from './covered-sockets.ts';
import type { HandedSocket } from './handed-socket.ts';
import type { ConnectionListener } from './served-listener.ts';

/** Between two lines in the log about the same trouble, milliseconds. */
const COMPLAIN_EVERY_MS = 10_000;

/**
 * A listening socket and the listener that serves what comes in by it. It can be led to another listener, so that an address which a
 * reload gives to one of another name refuses nobody.
 */
export class Door implements Acceptor {
  /** Number of its socket. */
  readonly id: number;
  /** As configured: port 0 stays 0. */
  readonly address: Address;
  #to: ConnectionListener;
  /** Listeners that it led to before, as long as they have connections. */
  #former: ConnectionListener[] = [];
  #socket: ListeningSocket | undefined = undefined;
  readonly #covered = new CoveredSockets<ListeningSocket>();
  #complainedMs = Number.NEGATIVE_INFINITY;

  private constructor(id: number, address: Address, to: ConnectionListener) {
    this.id = id;
    this.address = address;
    this.#to = to;
  }

  /**
   * Begins to accept.
   * @param handed A listening socket, which is owned from now on; without it one is opened.
   * @throws Error naming the listener and the address, with the code of the system.
   */
  static async open(
    id: number,
    address: Address,
    to: ConnectionListener,
    handed: HandedSocket | undefined,
  ): Promise<Door> {
    const door = new Door(id, address, to);
    if (handed !== undefined) {
      door.#socket = acceptFrom(handed.fd, handed.port, door);
      return door;
    }
    try {
      door.#socket = await listen(address.host, address.port, door);
    } catch (error) {
      throw cannotListen(to.name, address, error);
    }
    return door;
  }

  /** Accepts connections. */
  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** The port in force. */
  get port(): number {
    return this.#socket?.port ?? this.address.port;
  }

  /** From now on connections are served by `listener`; those that were accepted stay with theirs. */
  leadTo(listener: ConnectionListener): void {
    if (listener === this.#to) return;
    this.#former = [...this.#former.filter((other) => other !== listener), this.#to];
    this.#to = listener;
  }

  /**
   * Accepts for the worker of `slot` too.
   * @param fd Its listening socket, which is owned from now on.
   */
  async cover(slot: number, fd: number): Promise<void> {
    this.#covered.add(slot, acceptFrom(fd, this.port, this));
  }

  /** Leaves what is still to come to that worker. */
  uncover(slot: number): void {
    this.#covered.drop(slot);
  }

  /** Accepts no more; connections go on. */
  stop(): void {
    this.#covered.dropAll();
    this.#socket?.stop();
    this.#socket = undefined;
  }

  accept(connection: Connection): ConnectionHandler | undefined {
    return this.#to.accept(connection);
  }

  exhausted(reason: string): void {
    const { name, stats, shared } = this.#to;
    stats.countFailure('accept_exhausted');
    const nowMs = turnNowMs();
    if (nowMs - this.#complainedMs < COMPLAIN_EVERY_MS) return;
    this.#complainedMs = nowMs;
    shared.log.error('cannot-accept', { listener: name, reason, connections: stats.connections.own });
  }

  released(handler: ConnectionHandler): void {
    if (this.#former.length > 0) this.#former = this.#former.filter(({ stats }) => stats.connections.own > 0);
    const owner = this.#former.find((listener) => listener.serves(handler)) ?? this.#to;
    owner.released(handler);
  }
}
