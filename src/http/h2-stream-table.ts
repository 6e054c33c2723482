/** Slots of the ring: ids that are this many streams apart share one. */
const SLOTS = 128;
/** So few streams are looked through one by one: most connections never have more, and need no ring. */
const FEW = 8;

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
  /** Made when there are more than a few, and kept: then there will be so again. */
  #ring: (S | undefined)[] | undefined = undefined;
  #others: Map<number, S> | undefined = undefined;

  get size(): number {
    return this.all.length;
  }

  get(id: number): S | undefined {
    if (this.#ring === undefined) return this.#look(id);
    const stream = this.#ring[(id >>> 1) % SLOTS];
    return stream !== undefined && stream.id === id ? stream : this.#others?.get(id);
  }

  #look(id: number): S | undefined {
    const { all } = this;
    for (let index = all.length - 1; index >= 0; index--) if (all[index]!.id === id) return all[index];
    return undefined;
  }

  add(stream: S): void {
    this.all.push(stream);
    if (this.#ring !== undefined) {
      this.#place(stream);
    } else if (this.all.length > FEW) {
      this.#ring = Array.from({ length: SLOTS });
      for (const one of this.all) this.#place(one);
    }
  }

  #place(stream: S): void {
    const ring = this.#ring!;
    const slot = (stream.id >>> 1) % SLOTS;
    if (ring[slot] === undefined) ring[slot] = stream;
    else (this.#others ??= new Map()).set(stream.id, stream);
  }

  remove(stream: S): void {
    const { all } = this;
    const last = all.pop()!;
    if (last !== stream) all[all.indexOf(stream)] = last;
    if (this.#ring === undefined) return;
    const slot = (stream.id >>> 1) % SLOTS;
    if (this.#ring[slot] === stream) this.#ring[slot] = undefined;
    else this.#others?.delete(stream.id);
  }
}
