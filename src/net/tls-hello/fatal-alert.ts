import type { Connection, ConnectionHandler } from '../connection.ts';
import { Deadline, type Timed, type TimerWheel } from '../timer-wheel.ts';

/** How long a client that was refused may take to read why, milliseconds. */
const READ_MS = 1000;

/** A fatal alert in the clear (RFC 8446 section 6): TLS 1.2 on the outside, as every record before keys are agreed. */
function fatalAlert(description: number): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, description]);
}

/** What can be said to a client before keys are agreed. */
export const ALERT = {
  DECODE_ERROR: fatalAlert(50),
  UNRECOGNIZED_NAME: fatalAlert(112),
} as const;

/** Serves a client that was refused until it has read why: a close with unread bytes is a reset, which may overtake the alert. */
class Farewell implements ConnectionHandler, Timed {
  readonly #connection: Connection;
  readonly #deadline: Deadline;

  constructor(connection: Connection, wheel: TimerWheel) {
    this.#connection = connection;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(READ_MS);
  }

  /** Nobody wants to hear what comes now. */
  onData(): void {}

  onEnd(): void {
    this.onDeadline();
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#deadline.cancel();
  }

  onDeadline(): void {
    this.#deadline.cancel();
    this.#connection.close();
  }
}

/** Sends the alert and closes, in that order for the client too. The connection is served from here from now on. */
export function closeWithAlert(connection: Connection, wheel: TimerWheel, alert: Buffer): void {
  connection.write(alert, 0, alert.length);
  connection.shutdown();
  connection.handler = new Farewell(connection, wheel);
}
