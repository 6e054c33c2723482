import type { ClientStream } from '../http/streams.ts';
import { Exchange } from './exchange.ts';
import type { L7Listener } from './l7-listener.ts';

/** Kept for requests to come, at most. */
const MOST = 1024;

/** Exchanges of a listener that are over and may serve other requests: with thousands a second, the garbage of as many is saved. */
export class SpareExchanges {
  readonly #listener: L7Listener;
  /** The latest last. */
  readonly #spare: Exchange[] = [];

  constructor(listener: L7Listener) {
    this.#listener = listener;
  }

  /** An exchange for a request that has come. */
  take(stream: ClientStream): Exchange {
    const spare = this.#spare;
    // Those that were put here in this turn may still be called by who they served.
    if (spare.length === 0 || !spare.at(-1)!.rested) return new Exchange(this.#listener, stream);
    const exchange = spare.pop()!;
    exchange.reuse(stream);
    return exchange;
  }

  /** That one is over. */
  put(exchange: Exchange): void {
    if (this.#spare.length < MOST && exchange.rest()) this.#spare.push(exchange);
  }

  /** What they remember is kept alive no longer. */
  clear(): void {
    this.#spare.length = 0;
  }
}
