/** What binding asks of a connector. */
export interface BoundConnector {
  /** It has no connection, and nobody waits for one. */
  readonly unused: boolean;
  close(): void;
}

/** So many connectors are kept before those that are not used are looked for. */
const FIRST_SWEEP = 64;

/**
 * Connectors to one endpoint, one for each connection of a client: where connections begin with the name of the client they are for
 * (PROXY protocol), the next client cannot have them.
 */
export class BoundConnectors<C extends BoundConnector> {
  readonly #ofClient = new Map<object, C>();
  #sweepAt = FIRST_SWEEP;

  /** @param client Stands for a connection of a client, by its identity. */
  get(client: object, make: () => C): C {
    const known = this.#ofClient.get(client);
    if (known !== undefined) return known;
    if (this.#ofClient.size >= this.#sweepAt) this.#sweep();
    const connector = make();
    this.#ofClient.set(client, connector);
    return connector;
  }

  /** Idle ones close a while after their client has left, by themselves; then nothing is left of the client here. */
  #sweep(): void {
    for (const [client, connector] of this.#ofClient) if (connector.unused) this.#ofClient.delete(client);
    // The next time when as many have come again: looking costs no more than making them did.
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#ofClient.size * 2);
  }

  all(): IterableIterator<C> {
    return this.#ofClient.values();
  }

  close(): void {
    for (const connector of this.#ofClient.values()) connector.close();
    this.#ofClient.clear();
  }
}
