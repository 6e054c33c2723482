/** Slots of the ring: ids that are this many streams apart share one. */
const SLOTS = 128;

interface Numbered {
  /** Odd for streams that a client opened. */
  readonly id: number;
}

/**
 * The open streams of a connection by their id. Ids grow by two, so nearly all find their own slot of a ring; those that outlive the
 * next `SLOTS` streams are kept in a map.
 */
export class StreamTable<S extends Numbered> {
  /** All of them, in no order. */
  readonly all: S[] = [];
  #ring: (S | undefined)[] | undefined = undefined;
  #others: Map<number, S> | undefined = undefined;

  get size(): number {
    return this.all.length;
  }

  get(id: number): S | undefined {
    const stream = this.#ring?.[(id >>> 1) % SLOTS];
    return stream !== undefined && stream.id === id ? stream : this.#others?.get(id);
  }

  add(stream: S): void {
    this.all.push(stream);
    const slot = (stream.id >>> 1) % SLOTS;
    const ring = (this.#ring ??= Array.from({ length: SLOTS }));
    if (ring[slot] === undefined) ring[slot] = stream;
    else (this.#others ??= new Map()).set(stream.id, stream);
  }

  remove(stream: S): void {
    const { all } = this;
    const last = all.pop()!;
    if (last !== stream) all[all.indexOf(stream)] = last;
    const slot = (stream.id >>> 1) % SLOTS;
    if (this.#ring?.[slot] === stream) this.#ring[slot] = undefined;
    else this.#others?.delete(stream.id);
  }
}
