import { formatAddress } from '../config/address.ts';
import { type ListenerConfig, transportOf } from '../config/schema/listener.ts';
import { HeldSockets } from '../net/held-sockets.ts';
import { closeInherited, type InheritedSocket } from '../net/inherited-socket.ts';
import { resolveHost } from '../net/resolve.ts';

/** Sockets of one address, by worker slot, and the listener that they were of. */
export interface InheritedGroup {
  /** Empty when it is not known. Matters only where a configuration leaves the port to the system. */
  readonly listener: string;
  readonly sockets: InheritedSocket[];
}

/** Listening sockets that were open before this process began: of the Pointsman that it takes over from, or of systemd. */
export class InheritedSockets {
  #groups: InheritedGroup[];

  constructor(groups: readonly InheritedGroup[]) {
    this.#groups = groups.filter(({ sockets }) => sockets.length > 0);
  }

  /** Most sockets that one address has. */
  get slots(): number {
    return Math.max(0, ...this.#groups.map(({ sockets }) => sockets.length));
  }

  /**
   * The sockets of a listener, made up to `count`; undefined when none has its address.
   * @throws Error with `code` when its name cannot be resolved, or a further socket cannot be bound.
   */
  async take(config: ListenerConfig, count: number): Promise<HeldSockets | undefined> {
    const { name, address } = config;
    if (this.#groups.length === 0) return undefined;
    const [ip] = await resolveHost(address.host);
    const type = transportOf(config);
    const found = this.#groups.find(({ listener, sockets }) => {
      const [first] = sockets;
      if (first!.type !== type || first!.ip !== ip) return false;
      return address.port === 0 ? listener === name : first!.port === address.port;
    });
    if (found === undefined) return undefined;
    this.#groups = this.#groups.filter((group) => group !== found);
    return HeldSockets.adopt(found.sockets, count);
  }

  /** Closes those that no listener took; returns their addresses. */
  discard(): string[] {
    const addresses = this.#groups.map(({ sockets: [first] }) =>
      formatAddress({ host: first!.ip, port: first!.port }),
    );
    for (const { sockets } of this.#groups) for (const socket of sockets) closeInherited(socket);
    this.#groups = [];
    return addresses;
  }
}
