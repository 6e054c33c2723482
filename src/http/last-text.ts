/** Bytes as a string; when they are the same as the last time, so is the string. */
export class LastText {
  #last = '';

  /** The string of `bytes[start, end)`, one character a byte. */
  of(bytes: Buffer, start: number, end: number): string {
    const last = this.#last;
    if (last.length === end - start) {
      let at = 0;
      while (at < last.length && bytes[start + at] === last.charCodeAt(at)) at++;
      if (at === last.length) return last;
    }
    this.#last = bytes.latin1Slice(start, end);
    return this.#last;
  }
}
