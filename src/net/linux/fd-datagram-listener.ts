import { type DatagramAcceptor, type DatagramListener, type Party, PARTY_WORDS } from '../datagram-socket.ts';
import { atBatchEnd, type BatchTask, enterTurn, leaveTurn } from '../turn.ts';
import { setOption } from './fd-transport.ts';
import {
  AF,
  E,
  EPOLL,
  errno,
  IP_PKTINFO,
  IPV6_PKTINFO,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  MSG,
  SO,
  SOCK,
  SOL,
  sys,
  systemError,
} from './libc.ts';
import {
  CONTROL_WORDS,
  FULL_CONTROL_BYTES,
  FULL_NAME_BYTES,
  HEADER_WORDS,
  MessageBatch,
  NAME_WORDS,
} from './message-batch.ts';
import { poller, type PollTarget } from './poller.ts';
import { offerRoom, readPort, sockaddr, sockaddrLength, writeAddress } from './sockaddr.ts';

/** Datagrams fetched or sent by one call. */
const BATCH = 32;
const PAYLOAD_BYTES = 65_536;
/** Asked of the kernel for what arrives while we do something else, bytes; it gives no more than net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** A control message: `struct cmsghdr` in 32-bit words (length, level, type), then what it holds. cmsg(3) */
const LEVEL_WORD = 2;
const TYPE_WORD = 3;
const DATA_WORD = 4;
const CMSG_HEAD_BYTES = 16;
/** `struct in_pktinfo`: interface, our address, address in the head of the packet. ip(7) */
const IN_PKTINFO_BYTES = 12;
/** `struct in6_pktinfo`: our address, interface. ipv6(7) */
const IN6_PKTINFO_BYTES = 20;

const INTERFACE = 7;
const LOCAL = 8;

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
    if (!this.#open) return;
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
    this.#readParty(batch, index);
    this.#acceptor.onDatagram(batch.payloads[index]!, batch.received(index), this.#party);
  }

  #readParty(batch: MessageBatch, index: number): void {
    const party = this.#party;
    const { names, controls } = batch;
    const name = index * NAME_WORDS;
    const control = index * CONTROL_WORDS;
    party.fill(0);
    const words = this.#family === AF.INET6 ? INTERFACE : 2;
    for (let word = 0; word < words; word++) party[word] = names[name + word]!;
    if (!this.#wild || batch.controlLength(index) < CMSG_HEAD_BYTES) return;
    const type = controls[control + TYPE_WORD]!;
    const data = control + DATA_WORD;
    if (controls[control + LEVEL_WORD] === SOL.IP && type === IP_PKTINFO) {
      party[LOCAL] = controls[data + 1]!;
    } else if (controls[control + LEVEL_WORD] === SOL.IPV6 && type === IPV6_PKTINFO) {
      for (let word = 0; word < 4; word++) party[LOCAL + word] = controls[data + word]!;
      // fe80::/10, the first two bytes in the lower half of the word: such an address is one only together with its interface.
      if ((party[LOCAL]! & 0xc0ff) === 0x80fe) party[INTERFACE] = controls[data + 4]!;
    }
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
    this.#writeParty(batch, index, party);
  }

  #writeParty(batch: MessageBatch, index: number, party: Party): void {
    const { names, controls } = batch;
    const name = index * NAME_WORDS;
    for (let word = 0; word < INTERFACE; word++) names[name + word] = party[word]!;
    const inet6 = this.#family === AF.INET6;
    const nameBytes = inet6 ? 28 : 16;
    if (!this.#wild) {
      batch.setLengths(index, nameBytes, 0);
      return;
    }
    const control = index * CONTROL_WORDS;
    const data = control + DATA_WORD;
    const dataBytes = inet6 ? IN6_PKTINFO_BYTES : IN_PKTINFO_BYTES;
    controls[control] = CMSG_HEAD_BYTES + dataBytes;
    controls[control + 1] = 0;
    controls[control + LEVEL_WORD] = inet6 ? SOL.IPV6 : SOL.IP;
    controls[control + TYPE_WORD] = inet6 ? IPV6_PKTINFO : IP_PKTINFO;
    if (inet6) {
      for (let word = 0; word < 4; word++) controls[data + word] = party[LOCAL + word]!;
      controls[data + 4] = party[INTERFACE]!;
    } else {
      controls[data] = 0;
      controls[data + 1] = party[LOCAL]!;
      controls[data + 2] = 0;
    }
    // Aligned to 8 bytes, as CMSG_SPACE has it.
    batch.setLengths(index, nameBytes, (CMSG_HEAD_BYTES + dataBytes + 7) & ~7);
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

  stop(): void {
    if (!this.#open) return;
    if (sender === this) flush();
    this.#open = false;
    poller().close(this.#fd);
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
