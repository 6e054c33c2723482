import { type Address, formatAddress } from '../config/schema/address.ts';
import { type ListenerConfig, transportOf } from '../config/schema/listener.ts';
import { Door } from './door.ts';
import { type ListenerParts, prepareListener } from './listener-kinds.ts';
import type { ServedListener } from './served-listener.ts';
import { UdpDoor } from './udp-door.ts';

/** Whether the socket of the one does for the other. */
function sameSocket(a: ListenerConfig, b: ListenerConfig): boolean {
  const sameAddress = a.address.host === b.address.host && a.address.port === b.address.port;
  return sameAddress && transportOf(a) === transportOf(b);
}

function openDoor(address: Address, served: ServedListener): Promise<Door | UdpDoor> {
  return served.transport === 'udp' ? UdpDoor.open(address, served) : Door.open(address, served);
}

/** One listener of a configuration: made, opened, then put into force or abandoned. The one in force before is not touched until then. */
export class ListenerPlan {
  readonly config: ListenerConfig;
  readonly served: ServedListener;
  door: Door | UdpDoor | undefined = undefined;
  /** Forgotten once it is decided, else every configuration there ever was would be remembered. */
  #known: ListenerPlan | undefined;
  readonly #adopt: () => void;
  #opened = false;

  /**
   * @param known The listener of this name in force.
   * @throws RangeError or SyntaxError on what the check of a configuration refuses.
   */
  constructor(config: ListenerConfig, known: ListenerPlan | undefined, parts: ListenerParts) {
    this.config = config;
    this.#known = known;
    const unchanged = known !== undefined && Bun.deepEquals(known.config, config);
    const { served, adopt } = unchanged
      ? { served: known.served, adopt: () => {} }
      : prepareListener(config, known, parts);
    this.served = served;
    this.#adopt = adopt;
  }

  get name(): string {
    return this.config.name;
  }

  /**
   * Finds its listening socket, or opens one.
   * @param inForce The listeners in force, whose sockets stay open until all is swapped.
   * @throws Error naming the listener when the address cannot be bound.
   */
  async open(inForce: readonly ListenerPlan[]): Promise<void> {
    const { address } = this.config;
    const known = this.#known;
    if (known !== undefined && sameSocket(known.config, this.config)) this.door = known.door;
    else if (address.port !== 0)
      this.door = inForce.find((other) => sameSocket(other.config, this.config))?.door;
    if (this.door !== undefined) return;
    try {
      this.door = await openDoor(address, this.served);
    } catch (error) {
      const holder = inForce.find(
        ({ config }) =>
          config.address.port === address.port &&
          address.port !== 0 &&
          transportOf(config) === transportOf(this.config),
      );
      if (holder === undefined || !(error instanceof Error)) throw error;
      const held = `listener ${holder.name} still has ${formatAddress(holder.config.address)}`;
      throw new Error(`${error.message}; ${held}: go by way of another port`, { cause: error });
    }
    this.#opened = true;
  }

  /** In force from now on. */
  commit(): void {
    this.#adopt();
    const { door, served } = this;
    if (door instanceof UdpDoor && served.transport === 'udp') door.leadTo(served);
    else if (door instanceof Door && served.transport === 'tcp') door.leadTo(served);
    this.#known = undefined;
  }

  /** Nothing comes of it: what was opened is closed again. */
  abandon(): void {
    if (this.#opened) this.door?.stop();
    if (this.#known?.served !== this.served) this.served.drain();
  }
}
