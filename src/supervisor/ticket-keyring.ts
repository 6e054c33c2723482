import { randomBytes } from 'node:crypto';

import type { ListenerTlsConfig } from '../config/schema/tls.ts';
import { TICKET_KEY_BYTES, type TicketKey, TicketKeys } from '../net/tls/ticket-keys.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** Keys that are kept: the one that seals, and those whose tickets are still accepted. */
const KEPT = 3;

interface Ring {
  readonly listener: string;
  readonly keys: TicketKeys;
  all: readonly TicketKey[];
  /** Milliseconds between two keys; undefined when they come from a file. */
  rotateMs: number | undefined;
  cancelTimer: CancelTimer;
}

/** Gives the ticket keys of a listener by its name: the same object whenever it is asked. */
export interface TicketKeySource {
  keysOf(listener: string, tls: ListenerTlsConfig): TicketKeys;
}

/** The ticket keys that a worker was told by its supervisor. */
export class ToldTicketKeys implements TicketKeySource {
  readonly #byListener = new Map<string, TicketKeys>();

  /** The keys of a listener are these from now on; the first seals. */
  tell(listener: string, told: readonly Uint8Array[]): void {
    const keys = told.map((key) => Buffer.from(key));
    const known = this.#byListener.get(listener);
    if (known === undefined) this.#byListener.set(listener, new TicketKeys(keys));
    else known.replace(keys);
  }

  keysOf(listener: string): TicketKeys {
    const keys = this.#byListener.get(listener);
    if (keys === undefined) throw new RangeError(`listener ${listener}: no ticket keys were told`);
    return keys;
  }
}

/**
 * The ticket keys of all listeners, made by chance and rotated, or read from files. The same object serves a listener through all
 * reloads, so that sessions outlive them.
 */
export class TicketKeyring implements TicketKeySource {
  readonly #changed: (listener: string, keys: readonly TicketKey[]) => void;
  readonly #clock: Clock;
  readonly #random: (bytes: number) => Buffer;
  readonly #rings = new Map<string, Ring>();
  /** Keys of listeners that are not there yet. */
  readonly #inherited = new Map<string, readonly TicketKey[]>();

  /** @param changed Told whenever a listener gets other keys; the first seals. */
  constructor(
    clock: Clock,
    changed: (listener: string, keys: readonly TicketKey[]) => void = () => {},
    random: (bytes: number) => Buffer = randomBytes,
  ) {
    this.#changed = changed;
    this.#clock = clock;
    this.#random = random;
  }

  /** Keys of the Pointsman before, as `handOver` gave them: its tickets are accepted, and sealed on with its newest key. */
  inherit(byListener: Readonly<Record<string, readonly string[]>>): void {
    for (const [listener, keys] of Object.entries(byListener)) {
      const all = keys
        .map((key) => Buffer.from(key, 'base64'))
        .filter(({ length }) => length === TICKET_KEY_BYTES);
      if (all.length > 0) this.#inherited.set(listener, all);
    }
  }

  /** All keys that were made by chance, base64. Those of files are read again. */
  handOver(): Record<string, readonly string[]> {
    const chance = [...this.#rings].filter(([, { rotateMs }]) => rotateMs !== undefined);
    return Object.fromEntries(
      chance.map(([listener, { all }]) => [listener, all.map((key) => Buffer.from(key).toString('base64'))]),
    );
  }

  /** The keys of a listener by its name, by what its configuration says now. */
  keysOf(listener: string, { sessionTickets }: ListenerTlsConfig): TicketKeys {
    const ring = this.#rings.get(listener) ?? this.#create(listener);
    const file = sessionTickets === false ? undefined : sessionTickets.keyFile;
    if (file !== undefined) {
      this.#set(ring, undefined, keysOfFile(Buffer.from(file.content, 'latin1')));
    } else if (sessionTickets !== false && ring.rotateMs !== sessionTickets.rotate) {
      // A file may have been in force before, which others have too.
      this.#set(ring, sessionTickets.rotate, ring.rotateMs === undefined ? this.#first(listener) : ring.all);
    }
    return ring.keys;
  }

  #create(listener: string): Ring {
    const all = [this.#fresh()];
    const keys = new TicketKeys(all);
    const ring: Ring = { listener, keys, all, rotateMs: undefined, cancelTimer: () => {} };
    this.#rings.set(listener, ring);
    return ring;
  }

  #first(listener: string): readonly TicketKey[] {
    const inherited = this.#inherited.get(listener);
    this.#inherited.delete(listener);
    return inherited ?? [this.#fresh()];
  }

  #fresh(): TicketKey {
    return this.#random(TICKET_KEY_BYTES);
  }

  #set(ring: Ring, rotateMs: number | undefined, all: readonly TicketKey[]): void {
    ring.all = all;
    ring.keys.replace(all);
    this.#changed(ring.listener, all);
    ring.cancelTimer();
    ring.rotateMs = rotateMs;
    if (rotateMs !== undefined) this.#rotateAfter(ring, rotateMs);
  }

  #rotateAfter(ring: Ring, rotateMs: number): void {
    ring.cancelTimer = this.#clock.after(rotateMs, () =>
      this.#set(ring, rotateMs, [this.#fresh(), ...ring.all].slice(0, KEPT)),
    );
  }

  /** All keys, by listener: the first seals. */
  all(): Record<string, readonly TicketKey[]> {
    return Object.fromEntries([...this.#rings].map(([listener, { all }]) => [listener, all]));
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
