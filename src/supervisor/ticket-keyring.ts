import { randomBytes } from 'node:crypto';

import type { ListenerTlsConfig } from '../config/schema/tls.ts';
import { TICKET_KEY_BYTES, type TicketKey, TicketKeys } from '../net/tls/ticket-keys.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** Keys that are kept: the one that seals, and those whose tickets are still accepted. */
const KEPT = 3;

interface Ring {
  readonly keys: TicketKeys;
  all: readonly TicketKey[];
  /** Milliseconds between two keys; undefined when they come from a file. */
  rotateMs: number | undefined;
  cancelTimer: CancelTimer;
}

/**
 * The ticket keys of all listeners, made by chance and rotated, or read from files. The same object serves a listener through all
 * reloads, so that sessions outlive them.
 */
export class TicketKeyring {
  readonly #clock: Clock;
  readonly #random: (bytes: number) => Buffer;
  readonly #rings = new Map<string, Ring>();

  constructor(clock: Clock, random: (bytes: number) => Buffer = randomBytes) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The keys of a listener by its name, by what its configuration says now. */
  keysOf(listener: string, { sessionTickets }: ListenerTlsConfig): TicketKeys {
    const ring = this.#rings.get(listener) ?? this.#create(listener);
    const file = sessionTickets === false ? undefined : sessionTickets.keyFile;
    if (file !== undefined) {
      this.#set(ring, undefined, keysOfFile(Buffer.from(file.content, 'latin1')));
    } else if (sessionTickets !== false && ring.rotateMs !== sessionTickets.rotate) {
      // A file may have been in force before, which others have too.
      this.#set(ring, sessionTickets.rotate, ring.rotateMs === undefined ? [this.#fresh()] : ring.all);
    }
    return ring.keys;
  }

  #create(listener: string): Ring {
    const all = [this.#fresh()];
    const ring: Ring = { keys: new TicketKeys(all), all, rotateMs: undefined, cancelTimer: () => {} };
    this.#rings.set(listener, ring);
    return ring;
  }

  #fresh(): TicketKey {
    return this.#random(TICKET_KEY_BYTES);
  }

  #set(ring: Ring, rotateMs: number | undefined, all: readonly TicketKey[]): void {
    ring.all = all;
    ring.keys.replace(all);
    ring.cancelTimer();
    ring.rotateMs = rotateMs;
    if (rotateMs !== undefined) this.#rotateAfter(ring, rotateMs);
  }

  #rotateAfter(ring: Ring, rotateMs: number): void {
    ring.cancelTimer = this.#clock.after(rotateMs, () =>
      this.#set(ring, rotateMs, [this.#fresh(), ...ring.all].slice(0, KEPT)),
    );
  }

  /** Rotates no more. */
  stop(): void {
    for (const ring of this.#rings.values()) ring.cancelTimer();
  }
}

/** The keys that a file holds, one after the other. */
function keysOfFile(bytes: Buffer): TicketKey[] {
  const keys: TicketKey[] = [];
  for (let at = 0; at < bytes.length; at += TICKET_KEY_BYTES)
    keys.push(bytes.subarray(at, at + TICKET_KEY_BYTES));
  return keys;
}
