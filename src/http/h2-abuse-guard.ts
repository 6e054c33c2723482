import type { H2Abuse } from '../model/h2-stats.ts';
import type { ServerSettings } from './server-settings.ts';
import { Conduct, TINY_DATA } from './h2-conduct.ts';
import type { ConnectionOutput } from './h2-output.ts';

/** Whose connection is guarded. */
export interface GuardedConnection {
  /** Those that hold now; they have `http2`. */
  readonly settings: ServerSettings;
  readonly output: ConnectionOutput;
  /** Nothing is served any more, and nothing is counted. */
  readonly lingers: boolean;
  /** The client asks too much: the connection ends. */
  onAbuse(abuse: H2Abuse): void;
}

/** Counts what costs a client nothing and us something, and ends the connection when it was too much. */
export class AbuseGuard {
  readonly #connection: GuardedConnection;
  readonly #conduct: Conduct;

  constructor(connection: GuardedConnection) {
    const { resets, controlFrames } = connection.settings.http2!;
    this.#connection = connection;
    this.#conduct = new Conduct(resets, controlFrames);
  }

  /** A request came: it is good for some frames. */
  onRequest(): void {
    this.#conduct.onRequest(this.#connection.settings.http2!.controlFrames);
  }

  /** A frame that carries nothing of a request. */
  onControl(abuse: H2Abuse): void {
    const connection = this.#connection;
    if (connection.lingers) return;
    if (!this.#conduct.mayControl(connection.settings.http2!.controlFrames, connection.output.dataFrames))
      connection.onAbuse(abuse);
  }

  /** A stream was reset by the client, or because of what it did. */
  onReset(): void {
    const connection = this.#connection;
    if (!connection.lingers && !this.#conduct.mayReset(connection.settings.http2!.resets))
      connection.onAbuse('rapid_reset');
  }

  /** A DATA frame had so much content, bytes, and was not the last of its stream. */
  onData(content: number): void {
    const connection = this.#connection;
    if (content === 0) this.onControl('empty_data_flood');
    else if (content < TINY_DATA && !this.#conduct.mayDrip(connection.settings.http2!.controlFrames))
      connection.onAbuse('empty_data_flood');
  }
}
