import type { ConnectionHandler } from '../net/connection.ts';
import type { Enlisted } from '../util/roster.ts';

/** A client's connection, whatever is spoken on it, as its listener sees it. */
export interface ClientSession extends ConnectionHandler, Enlisted {
  /** Takes no more requests: what is idle ends now, what is busy after its responses. */
  drain(): void;
  /** Ends what is being served. */
  cut(): void;
  /** The connection is gone: what may be used again goes back. */
  recycle(): void;
}
