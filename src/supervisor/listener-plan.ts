import type { Address } from '../config/address.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import { Door } from './door.ts';
import type { HandedSocket, Offers } from './handed-socket.ts';
import { Http3Door } from './http3-door.ts';
import { L7Listener } from '../l7/l7-listener.ts';
import { type ListenerParts, prepareListener } from './listener-kinds.ts';
import type { ServedListener } from './served-listener.ts';
import { UdpDoor } from './udp-door.ts';

function openDoor(
  id: number,
  address: Address,
  served: ServedListener,
  handed: HandedSocket | undefined,
): Promise<Door | UdpDoor> {
  return served.transport === 'udp'
    ? UdpDoor.open(id, address, served, handed)
    : Door.open(id, address, served, handed);
}

/** One listener of a configuration: made, opened, then put into force or abandoned. The one in force before is not touched until then. */
export class ListenerPlan {
  readonly config: ListenerConfig;
  readonly served: ServedListener;
  door: Door | UdpDoor | undefined = undefined;
  http3: Http3Door | undefined = undefined;
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
  async open(inForce: readonly ListenerPlan[], offers: Offers): Promise<void> {
    const id = offers.idOf(this.name);
    this.door = inForce.find(({ door }) => door?.id === id)?.door;
    if (this.door === undefined) {
      this.door = await openDoor(id, this.config.address, this.served, offers.take(id));
      this.#opened = true;
    }
    this.http3 = Http3Door.for(this.config, this.door.port, this.served, this.#known?.http3);
  }

  /** Accepts no more; what is under way goes on. */
  stopListening(): void {
    this.door?.stop();
    this.http3?.stop();
  }

  /** In force from now on. */
  commit(): void {
    this.#adopt();
    const { door, served } = this;
    if (door instanceof UdpDoor && served.transport === 'udp') door.leadTo(served);
    else if (door instanceof Door && served.transport === 'tcp') door.leadTo(served);
    const before = this.#known?.http3;
    if (before !== this.http3) before?.stop();
    if (served instanceof L7Listener) this.http3?.leadTo(served);
    this.#known = undefined;
  }

  /** Nothing comes of it: what was opened is closed again. */
  abandon(): void {
    if (this.#opened) this.door?.stop();
    if (this.http3 !== this.#known?.http3) this.http3?.stop();
    if (this.#known?.served !== this.served) this.served.drain();
  }
}
