import { type Address } from '../config/schema/address.ts';
import type { UdpListener } from '../l4/udp-listener.ts';
import type { UdpWay } from '../l4/udp-way.ts';
import type { DatagramAcceptor, DatagramListener, Party } from '../net/datagram-socket.ts';
import { bindDatagrams, serveDatagrams } from '../net/datagrams.ts';
import { cannotListen } from './cannot-listen.ts';
import { CoveredSockets } from './covered-sockets.ts';
import type { HandedSocket } from './handed-socket.ts';

/**
 * A bound UDP socket and the listener that serves what comes in by it. It can be led to another listener; clients that have a session
 * stay with theirs. When it is stopped the socket stays open until the last session that came by it is over, for their answers.
 */
export class UdpDoor implements DatagramAcceptor, UdpWay {
  /** Number of its socket. */
  readonly id: number;
  /** As configured: port 0 stays 0. */
  readonly address: Address;
  closing = false;
  #to: UdpListener;
  /** Listeners that it led to before, as long as they have sessions. */
  #former: UdpListener[] = [];
  #socket: DatagramListener | undefined = undefined;
  /** Answers leave by our own socket, which has the same address. */
  readonly #covered = new CoveredSockets<DatagramListener>();
  #sessions = 0;

  private constructor(id: number, address: Address, to: UdpListener) {
    this.id = id;
    this.address = address;
    this.#to = to;
  }

  /**
   * Begins to receive.
   * @param handed A bound socket, which is owned from now on; without it one is bound.
   * @throws Error naming the listener and the address, with the code of the system.
   */
  static async open(
    id: number,
    address: Address,
    to: UdpListener,
    handed: HandedSocket | undefined,
  ): Promise<UdpDoor> {
    const door = new UdpDoor(id, address, to);
    try {
      const bound = handed ?? (await bindDatagrams(address.host, address.port, false));
      door.#socket = await serveDatagrams(bound, door);
    } catch (error) {
      throw cannotListen(to.name, address, error);
    }
    return door;
  }

  /** Takes new sessions. */
  get isOpen(): boolean {
    return this.#socket !== undefined && !this.closing;
  }

  /** The port in force. */
  get port(): number {
    return this.#socket?.port ?? this.address.port;
  }

  /** From now on new sessions are served by `listener`; those that are open stay with theirs. */
  leadTo(listener: UdpListener): void {
    if (listener === this.#to) return;
    this.#former = [...this.#former.filter((other) => other !== listener), this.#to];
    this.#to = listener;
  }

  /**
   * Receives for the worker of `slot` too.
   * @param fd Its socket, which is owned from now on.
   */
  async cover(slot: number, fd: number): Promise<void> {
    this.uncover(slot);
    this.#covered.add(slot, await serveDatagrams({ fd }, this));
  }

  /** Leaves what is still to come to that worker. Sessions that came by its socket still get their answers. */
  uncover(slot: number): void {
    this.#covered.drop(slot);
  }

  /** Hears no more, because another process takes from the same socket; those that are open may still answer. */
  mute(): void {
    this.#covered.dropAll();
    this.#socket?.mute?.();
  }

  /** Takes no new sessions; those that are open end soon. */
  stop(): void {
    if (this.closing) return;
    this.closing = true;
    for (const listener of [this.#to, ...this.#former]) listener.retire(this);
    this.#closeIfUnused();
  }

  onDatagram(bytes: Buffer, length: number, party: Party): void {
    const owner = this.#former.length === 0 ? this.#to : this.#ownerOf(party);
    owner.onDatagram(bytes, length, party, this);
  }

  #ownerOf(party: Party): UdpListener {
    this.#former = this.#former.filter(({ busy }) => busy > 0);
    return this.#former.find((listener) => listener.knows(party)) ?? this.#to;
  }

  onTruncated(): void {
    this.#to.dropped('datagram_truncated');
  }

  send(party: Party, bytes: Buffer, length: number): void {
    this.#socket?.send(party, bytes, length);
  }

  onLost(): void {
    this.#to.dropped('datagram_lost');
  }

  sessionBegan(): void {
    this.#sessions++;
  }

  sessionEnded(): void {
    this.#sessions--;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (!this.closing || this.#sessions > 0) return;
    this.#covered.dropAll();
    this.#socket?.stop();
    this.#socket = undefined;
  }
}
