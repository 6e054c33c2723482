import {
  bindStream,
  boundPort,
  type BoundSocket,
  type Sharing,
  startListening,
} from './linux/bind-socket.ts';
import { openBoundFd } from './linux/fd-datagram-listener.ts';
import { sys } from './linux/libc.ts';
import { duplicate, type InheritedSocket, type SocketType } from './inherited-socket.ts';
import { resolveHost } from './resolve.ts';

function bind(type: SocketType, ip: string, port: number, sharing: Sharing): BoundSocket {
  if (type === 'tcp') return bindStream(ip, port, sharing);
  const fd = openBoundFd(ip, port, sharing === 'shared');
  return { fd, port: boundPort(fd) };
}

/** Sockets that are bound, but nobody's yet. Exactly one of its methods is to be called, once. */
export interface Growth {
  commit(): void;
  abandon(): void;
}

/**
 * Sockets of one address, one for each process that is to take from it, held here so that they outlive those processes: what comes in
 * while one is away waits. Nothing is accepted or read by whoever holds them. Only where sockets are descriptors
 * (`usesDescriptors`).
 */
export class HeldSockets {
  /** The port in force, also when 0 was asked for. */
  readonly port: number;
  readonly #type: SocketType;
  readonly #ip: string;
  readonly #descriptors: number[];
  #open = true;

  private constructor(type: SocketType, ip: string, port: number, descriptors: number[]) {
    this.#type = type;
    this.#ip = ip;
    this.port = port;
    this.#descriptors = descriptors;
  }

  /** By process. */
  get descriptors(): readonly number[] {
    return this.#descriptors;
  }

  /**
   * Opens `count` sockets on `host` (a name stands for its first address) and `port` (0: any free one).
   * @throws an error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND ...) when it cannot; nothing is open then.
   */
  static async open(type: SocketType, host: string, port: number, count: number): Promise<HeldSockets> {
    const [ip] = await resolveHost(host);
    // Sockets that share would also share with another Pointsman, silently: first one that does not.
    const alone = bind(type, ip!, port, 'alone');
    // Sockets of TCP that do not listen are no obstacle to each other (SO_REUSEADDR); those of UDP are.
    if (type === 'udp') sys.close(alone.fd);
    const bound: BoundSocket[] = [];
    try {
      while (bound.length < count) bound.push(bind(type, ip!, alone.port, 'shared'));
    } catch (error) {
      for (const { fd } of bound) sys.close(fd);
      throw error;
    } finally {
      if (type === 'tcp') sys.close(alone.fd);
    }
    const descriptors = bound.map(({ fd }) => fd);
    if (type === 'tcp') listenOnAll(descriptors);
    return new HeldSockets(type, ip!, alone.port, descriptors);
  }

  /**
   * Sockets of one address that were open before this process began: all of `descriptors` are owned from now on. When they are fewer than
   * `count`, several processes take from one socket of TCP, which does no harm; of UDP further ones are bound beside them.
   * @throws an error with `code` when that cannot be.
   */
  static adopt(inherited: InheritedSocket[], count: number): HeldSockets {
    const [{ type, ip, port }] = inherited as [InheritedSocket];
    const descriptors = inherited.map(({ fd }) => fd);
    for (let index = 0; descriptors.length < count; index++) {
      descriptors.push(type === 'tcp' ? duplicate(descriptors[index]!) : bind('udp', ip, port, 'shared').fd);
    }
    return new HeldSockets(type, ip, port, descriptors);
  }

  /**
   * Makes further sockets, so that there are `count`. Nothing comes in by those of TCP before `commit`.
   * @throws an error with `code` when that cannot be; then nothing has changed.
   */
  grow(count: number): Growth {
    const added: number[] = [];
    const abandon = (): void => {
      for (const fd of added) sys.close(fd);
    };
    try {
      while (this.#descriptors.length + added.length < count) added.push(this.#another());
    } catch (error) {
      abandon();
      throw error;
    }
    const commit = (): void => {
      if (this.#type === 'tcp') for (const fd of added) startListening(fd);
      this.#descriptors.push(...added);
    };
    return { commit, abandon };
  }

  /** Bound beside the others. Where they do not share their address (systemd's may not) one of them again, which for TCP does as well. */
  #another(): number {
    try {
      return bind(this.#type, this.#ip, this.port, 'shared').fd;
    } catch (error) {
      if (this.#type === 'udp') throw error;
      return duplicate(this.#descriptors[0]!);
    }
  }

  /** Lets go of them. Whoever was given one still has it. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const fd of this.#descriptors) sys.close(fd);
  }
}

function listenOnAll(descriptors: readonly number[]): void {
  for (const [index, fd] of descriptors.entries()) {
    try {
      startListening(fd);
    } catch (error) {
      for (const [other, open] of descriptors.entries()) if (other !== index) sys.close(open);
      throw error;
    }
  }
}
