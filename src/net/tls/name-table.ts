/**
 * Finds by name: the very name first, then a wildcard for its first label (RFC 6125 section 6.4.3), which stands for exactly one.
 * Names are lower case.
 */
export class NameTable<T> {
  readonly #exact = new Map<string, T>();
  /** By what follows the asterisk and its dot. */
  readonly #wildcards = new Map<string, T>();

  /** The first that is entered for a name keeps it. */
  add(name: string, value: T): void {
    const wildcard = name.startsWith('*.');
    const table = wildcard ? this.#wildcards : this.#exact;
    const key = wildcard ? name.slice(2) : name;
    if (!table.has(key)) table.set(key, value);
  }

  find(name: string): T | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    const dot = name.indexOf('.');
    return dot <= 0 ? undefined : this.#wildcards.get(name.slice(dot + 1));
  }
}
