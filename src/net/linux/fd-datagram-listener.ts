import { type DatagramAcceptor, type DatagramListener, type Party, PARTY_WORDS } from '../datagram-socket.ts';
import { atBatchEnd, type BatchTask, enterTurn, leaveTurn } from '../turn.ts';
import { setOption } from './fd-transport.ts';
import {
  AF,
  E,
  EPOLL,
  errno,
  IP_PKTINFO,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  MSG,
  SO,
  SOCK,
  SOL,
  sys,
  systemError,
} from './libc.ts';
import { FULL_CONTROL_BYTES, FULL_NAME_BYTES, HEADER_WORDS, MessageBatch } from './message-batch.ts';
import { readParty, writeParty } from './packet-info.ts';
import { poller, type PollTarget } from './poller.ts';
import { offerRoom, readPort, sockaddr, sockaddrLength, writeAddress } from './sockaddr.ts';

/** Datagrams fetched or sent by one call. */
const BATCH = 32;
const PAYLOAD_BYTES = 65_536;
/** Asked of the kernel for what arrives while we do something else, bytes; it gives no more than net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** All listeners read into the one and send from the other. */
let input: MessageBatch | undefined;
let output: MessageBatch | undefined;

/** A bound UDP socket by its descriptor. */
class FdDatagramListener implements DatagramListener, PollTarget {
  readonly port: number;
  readonly #fd: number;
  readonly #family: number;
  /** Bound to all addresses: the kernel says which one a datagram was sent to. */
  readonly #wild: boolean;
  readonly #input: MessageBatch;
  readonly #output: MessageBatch;
  readonly #party: Party = new Int32Array(PARTY_WORDS);
  readonly #acceptor: DatagramAcceptor;
  #open = true;
  #muted = false;

  constructor(fd: number, acceptor: DatagramAcceptor) {
    offerRoom();
    if (sys.getsockname(fd, sockaddr, sockaddrLength) < 0) throw systemError('getsockname', errno());
    this.#family = sockaddr.readUInt16LE(0);
    this.port = readPort();
    const [from, to] = this.#family === AF.INET6 ? [8, 24] : [4, 8];
    this.#wild = sockaddr.subarray(from, to).every((byte) => byte === 0);
    this.#fd = fd;
    this.#acceptor = acceptor;
    input ??= new MessageBatch(BATCH, PAYLOAD_BYTES);
    output ??= new MessageBatch(BATCH, PAYLOAD_BYTES);
    this.#input = input;
    this.#output = output;
    if (this.#wild) {
      if (this.#family === AF.INET6) setOption(fd, SOL.IPV6, IPV6_RECVPKTINFO, 1);
      else setOption(fd, SOL.IP, IP_PKTINFO, 1);
    }
    poller().add(fd, EPOLL.IN | EPOLL.ET, this);
  }

  onEvents(): void {
    this.#receive();
  }

  onAgain(): void {
    this.#receive();
  }

  /** Fetches what there is; a call that comes back short has emptied the socket. */
  #receive(): void {
    if (!this.#open || this.#muted) return;
    const batch = this.#input;
    for (let index = 0; index < BATCH; index++)
      batch.setLengths(index, FULL_NAME_BYTES, this.#wild ? FULL_CONTROL_BYTES : 0);
    const count = sys.recvmmsg(this.#fd, batch.headers, BATCH, MSG.DONTWAIT, null);
    if (count < 0) {
      // An error that waited is told once; what waits behind it is fetched by the next call.
      if (errno() !== E.AGAIN) poller().again(this);
      return;
    }
    if (count === BATCH) poller().again(this);
    enterTurn();
    try {
      for (let index = 0; index < count && this.#open; index++) this.#serve(batch, index);
    } finally {
      leaveTurn();
    }
  }

  #serve(batch: MessageBatch, index: number): void {
    if ((batch.flags(index) & MSG.TRUNC) !== 0) {
      this.#acceptor.onTruncated();
      return;
    }
    readParty(batch, index, this.#family, this.#wild, this.#party);
    this.#acceptor.onDatagram(batch.payloads[index]!, batch.received(index), this.#party);
  }

  send(party: Party, bytes: Buffer, length: number): void {
    if (!this.#open) return;
    if (queued === BATCH || (queued > 0 && sender !== this)) flush();
    const batch = this.#output;
    const index = queued;
    if (queued++ === 0) {
      // oxlint-disable-next-line typescript/no-this-alias -- a reference that outlives the call, not an alias
      sender = this;
      atBatchEnd(flusher);
    }
    bytes.copy(batch.payloads[index]!, 0, 0, length);
    batch.setPayloadLength(index, length);
    writeParty(batch, index, this.#family, this.#wild, party);
  }

  /** Sends the first `count` messages of the output. One that the kernel does not take is lost, the others go. */
  dispatch(count: number): void {
    let from = 0;
    while (from < count) {
      const headers = this.#output.headers;
      const rest = from === 0 ? headers : headers.subarray(from * HEADER_WORDS);
      const sent = sys.sendmmsg(this.#fd, rest, count - from, MSG.DONTWAIT | MSG.NOSIGNAL);
      if (sent > 0) {
        from += sent;
        continue;
      }
      if (errno() === E.INTR) continue;
      this.#acceptor.onLost();
      from++;
    }
  }

  mute(): void {
    if (!this.#open) return;
    this.#muted = true;
    poller().change(this.#fd, 0);
  }

  stop(): void {
    if (!this.#open) return;
    if (sender === this) flush();
    this.#open = false;
    poller().release(this.#fd);
  }
}

/** Whose answers wait in the output, and how many. */
let sender: FdDatagramListener | undefined;
let queued = 0;

function flush(): void {
  const count = queued;
  queued = 0;
  sender?.dispatch(count);
  sender = undefined;
}

const flusher: BatchTask = { onBatchEnd: flush };

/**
 * Binds a UDP socket to an IP address and returns its descriptor.
 * @throws an error with `code` when it cannot.
 */
export function openBoundFd(ip: string, port: number, shared: boolean): number {
  const target = writeAddress(ip, port);
  if (target === undefined)
    throw Object.assign(new Error(`not an IP address: ${ip}`), { code: 'EADDRNOTAVAIL' });
  const fd = sys.socket(target.family, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', errno());
  if (shared) setOption(fd, SOL.SOCKET, SO.REUSEPORT, 1);
  setOption(fd, SOL.SOCKET, SO.RCVBUF, RECEIVE_BUFFER_BYTES);
  if (target.family === AF.INET6) setOption(fd, SOL.IPV6, IPV6_V6ONLY, ip === '::' ? 0 : 1);
  if (sys.bind(fd, sockaddr, target.length) < 0) {
    const error = systemError('bind', errno());
    sys.close(fd);
    throw error;
  }
  return fd;
}

/** Serves a descriptor that is bound, whoever bound it. */
export function serveFd(fd: number, acceptor: DatagramAcceptor): DatagramListener {
  return new FdDatagramListener(fd, acceptor);
}
