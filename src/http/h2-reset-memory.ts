/** Ids that are remembered. */
const REMEMBERED = 64;

/** Streams that we have reset lately: frames for them may still be on their way, and are no error (RFC 9113 section 5.1). */
export class ResetMemory {
  readonly #ids: number[] = [];
  #next = 0;

  add(id: number): void {
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }
}
