/** Memory that several processes can map. The runtime's part is in `src/net/shared-memory.ts`. */
export interface SharedFile {
  /** Where another process of this machine and user opens it, as long as this one lives. */
  readonly path: string;
  /** Bytes of it as memory; `offset` at the beginning of a page. The same place is mapped once. */
  map(offset: number, size: number): Uint8Array;
  /**
   * Makes bytes 0 and gives them memory.
   * @throws Error when there is none left, instead of a crash when they are written first.
   */
  clear(offset: number, size: number): void;
  /** Takes memory away again, whole pages of it; the bytes are 0 for whoever still has them mapped. */
  release(offset: number, size: number): void;
}

/** The same for one process alone. */
export class PrivateFile implements SharedFile {
  readonly path = '';
  readonly #memory: ArrayBuffer;

  constructor(sizeBytes: number) {
    this.#memory = new ArrayBuffer(sizeBytes);
  }

  map(offset: number, size: number): Uint8Array {
    return new Uint8Array(this.#memory, offset, size);
  }

  clear(offset: number, size: number): void {
    this.map(offset, size).fill(0);
  }

  release(offset: number, size: number): void {
    this.clear(offset, size);
  }
}
