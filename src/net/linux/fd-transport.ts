import type { CloseCause } from '../connection.ts';
import { enterTurn, leaveTurn } from '../turn.ts';
import { readLimitBytes } from '../kept-output.ts';
import { Follows, type FollowsKind, type Transport, type TransportEvents } from '../transport.ts';
import {
  E,
  EPOLL,
  errno,
  fixed,
  MSG,
  SHUT_WR,
  SO,
  SOL,
  sys,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from './libc.ts';
import { poller, type PollTarget } from './poller.ts';
import { offerRoom, readIp, readPort, sockaddr, sockaddrLength } from './sockaddr.ts';

/** Largest piece that is read at once, bytes: with 64 KiB a body of 1 MiB costs half as much again. */
const READ_BYTES = 256 * 1024;
/** The first piece of what came, while little comes at a time: the receiver may be unable to pass it on, and would have to keep it. */
const FIRST_READ_BYTES = 64 * 1024;

/** What every read goes into; what is to be kept is copied by who keeps it. */
const input = fixed(READ_BYTES);
const option = fixed(8);
/** What is looked at without taking it. */
const glimpse = fixed(1);

function setOption(fd: number, level: number, name: number, value: number, second = 0): void {
  option.writeInt32LE(value, 0);
  option.writeInt32LE(second, 4);
  sys.setsockopt(fd, level, name, option, name === SO.LINGER && level === SOL.SOCKET ? 8 : 4);
}

/** Small writes leave at once: joining is our own business. */
export function setNoDelay(fd: number): void {
  setOption(fd, SOL.TCP, TCP_NODELAY, 1);
}

export { setOption, WATCHED_WITH_ROOM };

/** What is watched. Edge-triggered, so that holding back costs no system call. */
const WATCHED = EPOLL.IN | EPOLL.RDHUP | EPOLL.ET;
/** ... and what is watched while connecting, and from the first time on that the kernel was full. */
const WATCHED_WITH_ROOM = WATCHED | EPOLL.OUT;
/** Reads of a socket that has more, before others get their turn. */
const READS_PER_EVENT = 4;

/** Keep-alive probes without an answer until a peer is taken for dead. */
const KEEPALIVE_PROBES = 3;

/** Views of the beginning of `input`, by length: most messages have one of a few lengths. */
const views: (Buffer | undefined)[] = [];
const MAX_VIEWS = 2048;

function inputView(length: number): Buffer {
  if (length >= MAX_VIEWS) return input.subarray(0, length);
  return (views[length] ??= input.subarray(0, length));
}

/** Whether small writes wait for earlier ones to be acknowledged (RFC 896). The first one has nobody to wait for. */
const Nagle = { Off: 0, On: 1, Harmless: 2 } as const;
type NagleState = (typeof Nagle)[keyof typeof Nagle];

/** A socket by its descriptor, read and written by system calls, without a copy or an object in between. */
export class FdTransport implements Transport, PollTarget {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #fd: number;
  readonly #accepted: boolean;
  #events: TransportEvents | undefined = undefined;
  #reading = true;
  /** There is news to read that was not looked at. */
  #unread = false;
  #wantsRoom = false;
  #watchesRoom = false;
  #finSeen = false;
  /** There is much of it: the last read was filled; or, of one that was accepted, an earlier one, and little came at no time since. */
  #streaming = false;
  #open = true;
  /** The last bytes wait in the kernel for what follows. */
  #corked = false;

  #nagle: NagleState;

  /** @param accepted It inherits what its listener has; a socket that was dialled has nothing. */
  constructor(fd: number, remoteAddress: string, remotePort: number, accepted: boolean) {
    this.#fd = fd;
    this.#accepted = accepted;
    this.#nagle = accepted ? Nagle.Off : Nagle.Harmless;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  get localAddress(): string {
    return this.#askLocal() ? readIp() : '';
  }

  get localPort(): number {
    return this.#askLocal() ? readPort() : 0;
  }

  #askLocal(): boolean {
    if (!this.#open) return false;
    offerRoom();
    return sys.getsockname(this.#fd, sockaddr, sockaddrLength) === 0;
  }

  /**
   * Begins to read and to tell. `watched`: the descriptor is with the poller already, for `WATCHED_WITH_ROOM`. One that cannot be watched
   * is gone at once.
   */
  start(events: TransportEvents, watched: boolean): void {
    this.#events = events;
    this.#watchesRoom = watched;
    if (watched) poller().replace(this.#fd, this);
    else if (poller().tryAdd(this.#fd, WATCHED, this) !== undefined) this.#drop();
  }

  write(bytes: Buffer, start: number, end: number, follows: FollowsKind = Follows.Nothing): number {
    if (this.#nagle !== Nagle.Off) this.#turnNagleOff();
    const from = start === 0 ? bytes : bytes.subarray(start, end);
    const corked = follows !== Follows.Nothing;
    const flags = corked ? MSG.DONTWAIT | MSG.NOSIGNAL | MSG.MORE : MSG.DONTWAIT | MSG.NOSIGNAL;
    const taken = sys.send(this.#fd, from, end - start, flags);
    this.#corked = corked;
    if (taken >= 0) return taken;
    const error = errno();
    // Dead: the event that says so follows.
    return error === E.AGAIN || error === E.INTR ? 0 : end - start;
  }

  silent(): boolean {
    if (!this.#open || this.#finSeen) return false;
    return sys.recv(this.#fd, glimpse, 1, MSG.PEEK | MSG.DONTWAIT) < 0 && errno() === E.AGAIN;
  }

  #turnNagleOff(): void {
    if (this.#nagle === Nagle.Harmless) {
      this.#nagle = Nagle.On;
    } else {
      this.#nagle = Nagle.Off;
      setNoDelay(this.#fd);
    }
  }

  wantRoom(wanted: boolean): void {
    this.#wantsRoom = wanted;
    if (!wanted || this.#watchesRoom || !this.#open) return;
    this.#watchesRoom = true;
    poller().change(this.#fd, WATCHED_WITH_ROOM);
  }

  read(wanted: boolean): void {
    this.#reading = wanted;
    if (!wanted || !this.#unread || !this.#open) return;
    this.#unread = false;
    poller().again(this);
  }

  keepAlive(idleMs: number): void {
    if (!this.#open) return;
    const idleSeconds = Math.max(1, Math.round(idleMs / 1000));
    setOption(this.#fd, SOL.TCP, TCP_KEEPIDLE, idleSeconds);
    setOption(this.#fd, SOL.TCP, TCP_KEEPINTVL, Math.max(1, Math.round(idleSeconds / KEEPALIVE_PROBES)));
    setOption(this.#fd, SOL.TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    setOption(this.#fd, SOL.SOCKET, SO.KEEPALIVE, 1);
  }

  shutdown(): void {
    if (this.#open) sys.shutdown(this.#fd, SHUT_WR);
  }

  close(): void {
    // Closing alone would throw them away, should the peer have sent something that was not read.
    if (this.#corked && this.#open) sys.shutdown(this.#fd, SHUT_WR);
    this.#fail('closed');
  }

  reset(): void {
    if (this.#open) setOption(this.#fd, SOL.SOCKET, SO.LINGER, 1);
    this.#fail('closed');
  }

  tellTo(events: TransportEvents): void {
    this.#events = events;
  }

  onEvents(events: number): void {
    if (!this.#open) return;
    if ((events & ~EPOLL.OUT) !== 0) {
      if (this.#reading && !this.#finSeen) this.#receive(events);
      else if ((events & EPOLL.ERR) !== 0) this.#fail('reset');
      else if (this.#finSeen && (events & EPOLL.HUP) !== 0) this.#fail('closed');
      else this.#unread = true;
    }
    if ((events & EPOLL.OUT) !== 0 && this.#wantsRoom && this.#open) this.#events!.onRoom();
  }

  onAgain(): void {
    if (!this.#open || this.#finSeen) return;
    if (this.#reading) this.#receive(EPOLL.RDHUP);
    else this.#unread = true;
  }

  #receive(events: number): void {
    if ((events & (EPOLL.RDHUP | EPOLL.HUP | EPOLL.ERR)) === 0) {
      this.#read(false);
      return;
    }
    // In one turn: what is passed on of the last bytes and of the FIN behind them leaves together.
    enterTurn();
    try {
      this.#read(true);
    } finally {
      leaveTurn();
    }
  }

  /** Reads what there is. A read that comes back short has emptied the socket, but for what is behind the bytes when it is `ending`. */
  #read(ending: boolean): void {
    for (let reads = 0; reads < READS_PER_EVENT; reads++) {
      const usual = reads === 0 && !this.#streaming ? FIRST_READ_BYTES : READ_BYTES;
      const wanted = Math.min(usual, readLimitBytes);
      const received = sys.recv(this.#fd, input, wanted, MSG.DONTWAIT);
      if (received <= 0) {
        this.#onNoBytes(received, errno());
        return;
      }
      this.#events!.onBytes(received === READ_BYTES ? input : inputView(received));
      const filled = received === wanted;
      if (filled) this.#streaming = true;
      // Who sends pays for what we have to keep, and goes on as before. What endpoints send is asked for by others, who may not read it.
      else if (!this.#accepted || (reads === 0 && received < FIRST_READ_BYTES)) this.#streaming = false;
      if (!this.#open || (!filled && !ending)) return;
      if (!this.#reading) {
        this.#unread = true;
        return;
      }
    }
    poller().again(this);
  }

  #onNoBytes(received: number, error: number): void {
    if (received === 0) {
      this.#finSeen = true;
      this.#events!.onFin();
    } else if (error === E.INTR) {
      poller().again(this);
    } else if (error !== E.AGAIN) {
      this.#fail(error === E.CONNRESET || error === E.PIPE ? 'reset' : 'error');
    }
  }

  /** The poller does not know it. */
  #drop(): void {
    this.#open = false;
    sys.close(this.#fd);
    this.#events?.onGone('error');
  }

  #fail(cause: CloseCause): void {
    if (!this.#open) return;
    this.#open = false;
    poller().close(this.#fd);
    this.#events?.onGone(cause);
  }
}
