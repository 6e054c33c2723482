/**
 * The least that a balancer can do: for each client a connection to the endpoint, and every byte that comes goes on as it is. The same system
 * calls as for balancing, and no work at all. Only for `floor.ts`.
 *
 * Run: bun run bench/micro/bare-relay.ts PORT ENDPOINT_PORT
 */
import { AF, EPOLL, fixed, MSG, SO, SOCK, SOL, sys, TCP_NODELAY } from '../../src/net/linux/libc.ts';

const ADDRESS_BYTES = 16;
const BACKLOG = 4096;
const MAX_EVENTS = 256;
/** Layout of `struct epoll_event`, as in `src/net/linux/poller.ts`. */
const WORDS = process.arch === 'x64' ? 3 : 4;
const FD_WORD = process.arch === 'x64' ? 1 : 2;
const WATCHED = EPOLL.IN | EPOLL.RDHUP | EPOLL.ET;

const [port = 0, endpointPort = 0] = process.argv.slice(2).map(Number);

const input = fixed(64 * 1024);
const on = fixed(4);
on.writeInt32LE(1, 0);
const none = fixed(ADDRESS_BYTES);
const noneLength = fixed(4);
const events = fixed(MAX_EVENTS * WORDS * 4);
const words = new Int32Array(events.buffer, events.byteOffset, MAX_EVENTS * WORDS);
const control = fixed(16);
const controlWords = new Int32Array(control.buffer, control.byteOffset, 4);

function loopback(at: number): Buffer {
  const address = fixed(ADDRESS_BYTES).fill(0);
  address.writeUInt16LE(AF.INET, 0);
  address.writeUInt16BE(at, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

const endpoint = loopback(endpointPort);
const poll = sys.epoll_create1(EPOLL.CLOEXEC);
/** The other end, by descriptor. */
const peers: number[] = [];

function watch(fd: number, mask: number): void {
  controlWords[0] = mask;
  controlWords[FD_WORD] = fd;
  sys.epoll_ctl(poll, EPOLL.ADD, fd, controlWords);
}

function join(client: number): void {
  const back = sys.socket(AF.INET, SOCK.STREAM | SOCK.CLOEXEC, 0);
  if (sys.connect(back, endpoint, ADDRESS_BYTES) < 0) throw new Error('the endpoint is not there');
  for (const fd of [client, back]) sys.setsockopt(fd, SOL.TCP, TCP_NODELAY, on, 4);
  peers[client] = back;
  peers[back] = client;
  watch(client, WATCHED);
  watch(back, WATCHED);
}

function relay(fd: number): void {
  const peer = peers[fd]!;
  if (peer < 0) return;
  const count = sys.recv(fd, input, input.length, MSG.DONTWAIT);
  if (count > 0) {
    sys.send(peer, input, count, MSG.NOSIGNAL);
    return;
  }
  peers[fd] = peers[peer] = -1;
  sys.close(fd);
  sys.close(peer);
}

const listener = sys.socket(AF.INET, SOCK.STREAM | SOCK.CLOEXEC, 0);
sys.setsockopt(listener, SOL.SOCKET, SO.REUSEADDR, on, 4);
if (sys.bind(listener, loopback(port), ADDRESS_BYTES) < 0) throw new Error(`port ${port} is in use`);
sys.listen(listener, BACKLOG);
watch(listener, EPOLL.IN);
for (;;) {
  const count = sys.epoll_wait(poll, words, MAX_EVENTS, -1);
  for (let index = 0; index < count; index++) {
    const fd = words[index * WORDS + FD_WORD]!;
    if (fd !== listener) relay(fd);
    else {
      noneLength.writeInt32LE(ADDRESS_BYTES, 0);
      join(sys.accept4(listener, none, noneLength, SOCK.CLOEXEC));
    }
  }
}
