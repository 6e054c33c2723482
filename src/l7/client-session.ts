import type { ConnectionHandler } from '../net/connection.ts';
import type { Enlisted } from '../util/roster.ts';

/** A client's connection, whatever is spoken on it, as its listener sees it. */
export interface ClientSession extends ConnectionHandler, Enlisted {
  /** On its way to its end, and the socket is still needed: the client is to hear of it, or takes the last response. */
  readonly parting: boolean;
  /** Takes no more requests: what is idle ends now, what is busy after its responses. */
  drain(): void;
  /** Ends what is being served. */
  cut(): void;
  /** The connection is gone: what may be used again goes back. */
  recycle(): void;
}
