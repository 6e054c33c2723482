import type { DatagramHandler, DatagramSocket, Sent } from '../datagram-socket.ts';
import { enterTurn, leaveTurn } from '../turn.ts';
import { E, EPOLL, errno, errorName, MSG, SOCK, sys, systemError } from './libc.ts';
import { MessageBatch } from './message-batch.ts';
import { poller, type PollTarget } from './poller.ts';
import { sockaddr, writeAddress } from './sockaddr.ts';

const WATCHED = EPOLL.IN | EPOLL.ET;
/** Datagrams fetched by one call. */
const BATCH = 16;
const PAYLOAD_BYTES = 65_536;

/** What all connected sockets read into; what is to be kept is copied by who keeps it. */
let input: MessageBatch | undefined;

function inputBatch(): MessageBatch {
  if (input !== undefined) return input;
  input = new MessageBatch(BATCH, PAYLOAD_BYTES);
  // Connected: who sent it is known, and the kernel need not say.
  for (let index = 0; index < BATCH; index++) input.setLengths(index, 0, 0);
  return input;
}

/** Errors that say that the peer cannot be reached, as ICMP has them (udp(7), icmp_err_convert in the kernel). */
const REFUSALS: ReadonlySet<number> = new Set([
  E.CONNREFUSED,
  E.HOSTUNREACH,
  E.NETUNREACH,
  E.PROTO,
  E.ACCES,
  E.PERM,
]);

/** A UDP socket by its descriptor, connected to one peer. */
class FdDatagramSocket implements DatagramSocket, PollTarget {
  readonly #fd: number;
  readonly #handler: DatagramHandler;
  #open = true;

  constructor(fd: number, handler: DatagramHandler) {
    this.#fd = fd;
    this.#handler = handler;
    const unwatched = poller().tryAdd(fd, WATCHED, this);
    if (unwatched === undefined) return;
    sys.close(fd);
    throw unwatched;
  }

  send(bytes: Buffer, length: number): Sent {
    if (sys.send(this.#fd, bytes, length, MSG.DONTWAIT | MSG.NOSIGNAL) >= 0) return 'sent';
    // An error that waited was told instead of sending; it is told once, so it is told here.
    return REFUSALS.has(errno()) ? 'refused' : 'lost';
  }

  onEvents(events: number): void {
    this.#receive((events & EPOLL.ERR) !== 0);
  }

  onAgain(): void {
    this.#receive(true);
  }

  /** Fetches what there is. A call that comes back short has emptied the socket, but for an error that waits. */
  #receive(failing: boolean): void {
    if (!this.#open) return;
    const batch = inputBatch();
    const count = sys.recvmmsg(this.#fd, batch.headers, BATCH, MSG.DONTWAIT, null);
    if (count < 0) {
      this.#onError(errno());
      return;
    }
    enterTurn();
    try {
      for (let index = 0; index < count && this.#open; index++) {
        this.#handler.onDatagram(batch.payloads[index]!, batch.received(index));
      }
    } finally {
      leaveTurn();
    }
    if (this.#open && (count === BATCH || failing)) poller().again(this);
  }

  #onError(error: number): void {
    if (error === E.AGAIN) return;
    poller().again(this);
    if (!REFUSALS.has(error)) return;
    enterTurn();
    try {
      this.#handler.onRefused(errorName(error));
    } finally {
      leaveTurn();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    poller().close(this.#fd);
  }
}

interface Known {
  readonly family: number;
  readonly length: number;
  readonly bytes: Buffer;
}

/** Addresses that were written before: there are as many as endpoints, and a session for each client. */
const known = new Map<string, Known>();
const MAX_KNOWN = 10_000;

/** As `writeAddress`, for addresses that come again and again. */
function writeKnown(ip: string, port: number): Omit<Known, 'bytes'> | undefined {
  const before = known.get(ip);
  if (before !== undefined) {
    before.bytes.copy(sockaddr, 0, 0, before.length);
    sockaddr.writeUInt16BE(port, 2);
    return before;
  }
  const target = writeAddress(ip, port);
  if (target === undefined) return undefined;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(ip, { ...target, bytes: Buffer.from(sockaddr.subarray(0, target.length)) });
  return target;
}

/**
 * Opens a UDP socket to an IP address.
 * @throws an error with `code` when there is no descriptor, no route, or no such address.
 */
export function connectFd(ip: string, port: number, handler: DatagramHandler): DatagramSocket {
  const target = writeKnown(ip, port);
  if (target === undefined)
    throw Object.assign(new Error(`not an IP address: ${ip}`), { code: 'EADDRNOTAVAIL' });
  const fd = sys.socket(target.family, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', errno());
  if (sys.connect(fd, sockaddr, target.length) < 0) {
    const error = systemError('connect', errno());
    sys.close(fd);
    throw error;
  }
  return new FdDatagramSocket(fd, handler);
}
