import type { CloseCause } from '../connection.ts';
import { MAX_PIECE } from '../connection.ts';
import type { Transport, TransportEvents } from '../transport.ts';
import {
  addressOf,
  E,
  EPOLL,
  errno,
  fixed,
  further,
  MSG,
  SHUT_WR,
  SO,
  SOL,
  sys,
  TCP_NODELAY,
} from './libc.ts';
import { poller, type PollTarget } from './poller.ts';

/** Largest piece that is read at once, bytes. */
const READ_BYTES = 64 * 1024;

/** What every read goes into; what is to be kept is copied by who keeps it. */
const input = fixed(READ_BYTES);
const option = fixed(8);

/** Address of the buffer in which output is collected: always the same one, so it is asked for once. */
let outputBuffer: Buffer | undefined;
let outputAddress = input.address;

function setOption(fd: number, level: number, name: number, value: number, second = 0): void {
  option.bytes.writeInt32LE(value, 0);
  option.bytes.writeInt32LE(second, 4);
  sys.setsockopt(fd, level, name, option.address, name === SO.LINGER && level === SOL.SOCKET ? 8 : 4);
}

/** Small writes leave at once: joining is our own business. */
export function setNoDelay(fd: number): void {
  setOption(fd, SOL.TCP, TCP_NODELAY, 1);
}

export { setOption };

/** A socket by its descriptor, read and written by system calls, without a copy or an object in between. */
export class FdTransport implements Transport, PollTarget {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #fd: number;
  #events: TransportEvents | undefined = undefined;
  #mask = EPOLL.IN | EPOLL.RDHUP;
  #finSeen = false;
  #open = true;

  constructor(fd: number, remoteAddress: string, remotePort: number) {
    this.#fd = fd;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  /** Begins to read and to tell. `watched`: the descriptor is with the poller already. */
  start(events: TransportEvents, watched: boolean): void {
    this.#events = events;
    if (watched) {
      poller().replace(this.#fd, this);
      poller().change(this.#fd, this.#mask);
    } else {
      poller().add(this.#fd, this.#mask, this);
    }
  }

  write(bytes: Buffer, start: number, end: number): number {
    let address;
    if (bytes === outputBuffer) {
      address = further(outputAddress, start);
    } else if (bytes.length === MAX_PIECE && outputBuffer === undefined) {
      outputBuffer = bytes;
      outputAddress = addressOf(bytes, 0);
      address = further(outputAddress, start);
    } else {
      address = addressOf(bytes, start);
    }
    const taken = sys.send(this.#fd, address, end - start, MSG.DONTWAIT | MSG.NOSIGNAL);
    if (taken >= 0) return taken;
    const error = errno();
    // Dead: the event that says so follows.
    return error === E.AGAIN || error === E.INTR ? 0 : end - start;
  }

  #watch(mask: number): void {
    if (mask === this.#mask || !this.#open) return;
    this.#mask = mask;
    poller().change(this.#fd, mask);
  }

  wantRoom(wanted: boolean): void {
    this.#watch(wanted ? this.#mask | EPOLL.OUT : this.#mask & ~EPOLL.OUT);
  }

  read(wanted: boolean): void {
    if (this.#finSeen) return;
    const reading = EPOLL.IN | EPOLL.RDHUP;
    this.#watch(wanted ? this.#mask | reading : this.#mask & ~reading);
  }

  shutdown(): void {
    if (this.#open) sys.shutdown(this.#fd, SHUT_WR);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    poller().close(this.#fd);
    this.#events?.onGone('closed');
  }

  reset(): void {
    if (!this.#open) return;
    setOption(this.#fd, SOL.SOCKET, SO.LINGER, 1);
    this.close();
  }

  onEvents(events: number): void {
    if ((events & EPOLL.IN) !== 0 && (this.#mask & EPOLL.IN) !== 0) {
      if (!this.#receive()) return;
    } else if ((events & (EPOLL.ERR | EPOLL.HUP)) !== 0) {
      this.#fail((events & EPOLL.ERR) === 0 ? 'closed' : 'reset');
      return;
    }
    if ((events & EPOLL.OUT) !== 0 && this.#open) this.#events?.onRoom();
  }

  /** Reads once. Returns whether the socket is still there. */
  #receive(): boolean {
    const received = sys.recv(this.#fd, input.address, READ_BYTES, MSG.DONTWAIT);
    if (received > 0) {
      this.#events!.onBytes(received === READ_BYTES ? input.bytes : input.bytes.subarray(0, received));
      return this.#open;
    }
    if (received === 0) {
      this.#finSeen = true;
      this.#watch(this.#mask & ~(EPOLL.IN | EPOLL.RDHUP));
      this.#events!.onFin();
      return this.#open;
    }
    const error = errno();
    if (error === E.AGAIN || error === E.INTR) return true;
    this.#fail(error === E.CONNRESET || error === E.PIPE ? 'reset' : 'error');
    return false;
  }

  #fail(cause: CloseCause): void {
    if (!this.#open) return;
    this.#open = false;
    poller().close(this.#fd);
    this.#events?.onGone(cause);
  }
}
