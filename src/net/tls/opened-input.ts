import { isAboutCertificate, PEER_ALERTS } from './handshake-failure.ts';
import { type Handle, openSsl, SSL_ERROR, takeError } from './openssl.ts';
import type { SealedOutput } from './sealed-output.ts';

/** Most that is opened at once, bytes: what one read of our own sockets brings. Those of the runtime may bring more. */
export const MAX_READ_BYTES: number = 256 * 1024;
/** ... and what was kept of a record before it. */
const PLAIN_BYTES = MAX_READ_BYTES + 32 * 1024;
/** Key updates in a row, one read each, that are answered before the connection is ended. */
const MAX_ANSWERS = 32;
/**
 * What a peer may send without saying anything, bytes: the largest record makes half of it. Key updates that want no answer are what is
 * left; the library follows each of them, and sets no limit.
 */
const MAX_BARREN_BYTES = 32 * 1024;

const plain = Buffer.allocUnsafeSlow(PLAIN_BYTES);
/** What nobody wants to read. */
const waste = Buffer.allocUnsafeSlow(16 * 1024);
/** Views of the beginning of `plain`, by length: most messages have one of a few lengths. */
const views: (Buffer | undefined)[] = [];
const MAX_VIEWS = 2048;

function plainView(length: number): Buffer {
  if (length >= MAX_VIEWS) return plain.subarray(0, length);
  return (views[length] ??= plain.subarray(0, length));
}

/** All connections share the way in, so nothing of one may be left to the next. */
export function emptyInput(): void {
  const { crypto, input } = openSsl();
  while (crypto.BIO_ctrl_pending(input) > 0) crypto.BIO_read(input, waste, waste.length);
}

/** What comes on a connection after its handshake, and how much of it an honest peer would send. */
export class OpenedInput {
  /** close_notify came. */
  ended = false;
  /** Nothing more can come: the peer gave up with an alert, or sent what an honest one does not. */
  broken = false;
  /** ... with one that says that our certificate will not do, or that there must be one. */
  refused = false;
  /** What an honest peer does not send; empty as long as it is one. */
  violation = '';
  /** Key updates and renegotiations that were answered since the last data. */
  #answers = 0;
  /** What came since the last data, bytes. */
  #barrenBytes = 0;

  /**
   * Opens every record that is whole, of what was put into the way in; leaves nothing behind there.
   * @param received How many bytes those were.
   * @param sealed Where answers to key updates go, and the alert that says what was wrong.
   * @returns what was in them, valid until somebody else opens something.
   */
  open(ssl: Handle, received: number, sealed: SealedOutput): Buffer {
    const { ssl: lib, crypto, input, output } = openSsl();
    let length = 0;
    for (;;) {
      const count = lib.SSL_read(ssl, length === 0 ? plain : plain.subarray(length), PLAIN_BYTES - length);
      if (count > 0) {
        length += count;
        if (crypto.BIO_ctrl_pending(input) === 0) break;
        continue;
      }
      const error = lib.SSL_get_error(ssl, count);
      if (error === SSL_ERROR.WANT_READ) break;
      if (error === SSL_ERROR.ZERO_RETURN) this.ended = true;
      else this.#break(sealed);
      emptyInput();
      break;
    }
    if (length > 0) {
      this.#answers = 0;
      this.#barrenBytes = 0;
    } else if ((this.#barrenBytes += received) > MAX_BARREN_BYTES) {
      this.#violate(`more than ${MAX_BARREN_BYTES} bytes without any data`);
    }
    if (crypto.BIO_ctrl_pending(output) > 0) this.#answer(length, sealed);
    return plainView(length);
  }

  #break(sealed: SealedOutput): void {
    const { reason, text } = takeError();
    sealed.holding = false;
    this.broken = true;
    if (reason <= PEER_ALERTS) this.violation = text;
    else this.refused = isAboutCertificate(reason - PEER_ALERTS);
  }

  #violate(detail: string): void {
    this.broken = true;
    this.violation ||= detail;
  }

  #answer(length: number, sealed: SealedOutput): void {
    sealed.flush(0);
    // Each answer costs us more than it costs who asks: nobody with something to say asks so often.
    if (length === 0 && ++this.#answers > MAX_ANSWERS) this.#violate('too many key updates');
    else if (sealed.overfull) this.#violate('answers are asked for and not read');
  }
}
