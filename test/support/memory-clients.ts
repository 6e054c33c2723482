import type { Connection, ConnectionHandler } from '../../src/net/connection.ts';
import { runTurn } from '../../src/net/turn.ts';
import type { MemoryNetwork, MemoryPeer } from './memory-connection.ts';

/** A listener, as far as those who connect see it. */
interface Entrance {
  accept(connection: Connection): ConnectionHandler | undefined;
  released(handler: ConnectionHandler): void;
}

/** The clients of a listener, over connections in memory. */
export class MemoryClients {
  /** Connections that are not released yet. */
  accepted = 0;
  readonly #network: MemoryNetwork;
  readonly #entrance: Entrance;

  constructor(network: MemoryNetwork, entrance: Entrance) {
    this.#network = network;
    this.#entrance = entrance;
  }

  /** A client that has just connected. When it is not served it is reset. */
  connect(address?: string): MemoryPeer {
    const peer = this.#network.peer(address);
    const { connection } = peer;
    runTurn(() => {
      const handler = this.#entrance.accept(connection);
      if (handler === undefined) {
        connection.reset();
        return;
      }
      this.accepted++;
      connection.handler = handler;
      connection.keeper = {
        released: () => {
          this.accepted--;
          this.#entrance.released(handler);
        },
      };
    });
    return peer;
  }
}
