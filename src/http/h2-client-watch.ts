import type { FailureCode } from '../model/failures.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import type { H2ClientSettings } from './h2-client-settings.ts';
import type { ConnectionOutput } from './h2-output.ts';
import { H2Error } from './h2-protocol.ts';

/** How long the endpoint may take to acknowledge our SETTINGS, milliseconds. */
const SETTINGS_ACK_MS = 10_000;
const PING_DATA = Buffer.from('pointsmn', 'latin1');

/** Whose endpoint is watched. */
export interface WatchedConnection {
  readonly output: ConnectionOutput;
  readonly timeouts: H2ClientSettings;
  readonly over: boolean;
  /** The endpoint says nothing. */
  onSilent(code: FailureCode, detail: string): void;
  /** It talks, but not as it must. */
  onFrameError(error: number, reason: string): void;
}

/**
 * Whether an endpoint is there: it has a time for its SETTINGS, for acknowledging ours (RFC 9113 section 6.5.3), and for answering the PING
 * that asks when nothing has come for long.
 */
export class EndpointWatch {
  /** Its SETTINGS came. */
  ready = false;
  /** A PING waits for its answer: no new streams until anything comes. */
  suspected = false;
  readonly #connection: WatchedConnection;
  #acknowledged = false;
  /** Ends it when SETTINGS, their acknowledgement or an answer to PING does not come. */
  readonly #answer: Deadline;
  /** Asks whether anybody is there. */
  readonly #silence: Deadline;

  constructor(connection: WatchedConnection, wheel: TimerWheel) {
    this.#connection = connection;
    this.#answer = new Deadline(wheel, this);
    this.#silence = new Deadline(wheel, { onDeadline: () => this.ask() });
  }

  /** Our SETTINGS were sent. */
  begin(): void {
    this.#answer.start(this.#connection.timeouts.connect);
  }

  /** Something came. Returns whether that takes a suspicion away. */
  onData(): boolean {
    const { pingInterval } = this.#connection.timeouts;
    if (pingInterval > 0) this.#silence.start(pingInterval);
    if (!this.suspected) return false;
    this.suspected = false;
    if (this.#acknowledged) this.#answer.stop();
    else this.#answer.start(SETTINGS_ACK_MS);
    return true;
  }

  /** The first SETTINGS of the endpoint came. */
  onSettings(): void {
    this.ready = true;
    if (!this.#acknowledged) this.#answer.start(SETTINGS_ACK_MS);
  }

  onSettingsAck(): void {
    this.#acknowledged = true;
    if (this.ready && !this.suspected) this.#answer.stop();
  }

  /** Asks the endpoint whether it is there. */
  ask(): void {
    const connection = this.#connection;
    if (this.suspected || connection.over || !this.ready) return;
    this.suspected = true;
    connection.output.writer.ping(false, PING_DATA, 0);
    this.#answer.start(connection.timeouts.pingTimeout);
  }

  onDeadline(): void {
    const connection = this.#connection;
    if (!this.ready) connection.onSilent('connect_timeout', 'no SETTINGS from the endpoint');
    else if (this.suspected) connection.onSilent('endpoint_reset', 'no answer to PING');
    else if (!this.#acknowledged)
      connection.onFrameError(H2Error.SettingsTimeout, 'SETTINGS not acknowledged');
  }

  cancel(): void {
    this.#answer.cancel();
    this.#silence.cancel();
  }
}
