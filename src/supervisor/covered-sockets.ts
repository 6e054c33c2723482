interface Stoppable {
  stop(): void;
}

/** Sockets of other workers that are away, by slot, which this worker takes from meanwhile. */
export class CoveredSockets<Socket extends Stoppable> {
  readonly #bySlot = new Map<number, Socket>();

  /** In place of the one before. */
  add(slot: number, socket: Socket): void {
    this.drop(slot);
    this.#bySlot.set(slot, socket);
  }

  /** Leaves what is still to come to the worker of `slot`. */
  drop(slot: number): void {
    this.#bySlot.get(slot)?.stop();
    this.#bySlot.delete(slot);
  }

  dropAll(): void {
    for (const slot of this.#bySlot.keys()) this.drop(slot);
  }
}
