/** Name 16, HMAC secret 32, AES-256 key 32: what SSL_CTX_set_tlsext_ticket_keys takes. */
export const TICKET_KEY_BYTES = 80;
const NAME_BYTES = 16;

/** One secret by which session tickets are sealed, 80 bytes; its first 16 are in every ticket in the clear. */
export type TicketKey = Buffer;

/**
 * The secrets of session tickets. Whoever has the same ones resumes the sessions of the other: all workers of a machine, and several
 * machines that are given one file. New tickets are sealed by the current key; those of previous keys are still accepted.
 */
export class TicketKeys {
  #current: TicketKey;
  #previous: readonly TicketKey[];

  /** @throws RangeError when there is no key, or one is not of 80 bytes. */
  constructor(keys: readonly TicketKey[]) {
    [this.#current, ...this.#previous] = checked(keys);
  }

  get current(): TicketKey {
    return this.#current;
  }

  /** Replaces all: the first seals, the others only open. */
  replace(keys: readonly TicketKey[]): void {
    [this.#current, ...this.#previous] = checked(keys);
  }

  /** The previous key by which the ticket in a ClientHello was sealed, if one was: its name stands in it. */
  previousIn(hello: Buffer): TicketKey | undefined {
    return this.#previous.find((key) => hello.includes(key.subarray(0, NAME_BYTES)));
  }
}

function checked(keys: readonly TicketKey[]): [TicketKey, ...TicketKey[]] {
  const [first, ...rest] = keys;
  if (first === undefined) throw new RangeError('there is no ticket key');
  for (const key of keys) {
    if (key.length !== TICKET_KEY_BYTES) throw new RangeError(`a ticket key has ${TICKET_KEY_BYTES} bytes`);
  }
  return [first, ...rest];
}
