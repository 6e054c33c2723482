import { LastText } from './last-text.ts';

/** Values of Keep-Alive; many endpoints send the same one with every response. */
export class KeepAliveField {
  readonly #texts = new LastText();
  #text = '';
  #timeoutMs = 0;

  /** `timeout=5, max=100`: how long the endpoint keeps an idle connection, milliseconds; 0 when it does not say. */
  timeoutMs(bytes: Buffer, start: number, end: number): number {
    const text = this.#texts.of(bytes, start, end);
    if (text !== this.#text) {
      this.#text = text;
      const match = /(?:^|[\s,;])timeout\s*=\s*(\d{1,6})/i.exec(text);
      this.#timeoutMs = match === null ? 0 : Number(match[1]) * 1000;
    }
    return this.#timeoutMs;
  }
}
