import { SocketConnection } from '../socket-connection.ts';
import type { Acceptor, ListeningSocket } from '../listen.ts';
import { unserved } from '../unserved.ts';
import { runTurn } from '../turn.ts';
import { welcome } from '../welcome.ts';
import { AF, E, EPOLL, errno, IPV6_V6ONLY, SO, SOCK, SOL, sys, systemError } from './libc.ts';
import { FdTransport, setNoDelay, setOption } from './fd-transport.ts';
import { poller, type PollTarget } from './poller.ts';
import { offerRoom, readIp, readPort, sockaddr, sockaddrLength, writeAddress } from './sockaddr.ts';

/** Connections that the kernel completes for us to fetch. */
const BACKLOG = 4096;
/** Connections fetched in one go, so that those that are open are not kept waiting. */
const ACCEPTS_PER_EVENT = 64;
/** How long nothing is accepted when there are no descriptors left, milliseconds. */
const EXHAUSTED_MS = 100;

/** A listening socket of ours. */
class FdListener implements PollTarget, ListeningSocket {
  readonly port: number;
  readonly #fd: number;
  readonly #acceptor: Acceptor;
  #open = true;

  constructor(fd: number, port: number, acceptor: Acceptor) {
    this.#fd = fd;
    this.port = port;
    this.#acceptor = acceptor;
    poller().add(fd, EPOLL.IN, this);
  }

  onEvents(): void {
    this.#acceptUpTo(ACCEPTS_PER_EVENT);
  }

  #acceptUpTo(most: number): void {
    runTurn(() => {
      for (let count = 0; count < most && this.#open; count++) {
        offerRoom();
        const fd = sys.accept4(this.#fd, sockaddr, sockaddrLength, SOCK.NONBLOCK | SOCK.CLOEXEC);
        if (fd >= 0) {
          this.#serve(fd);
          continue;
        }
        const error = errno();
        if (error === E.MFILE || error === E.NFILE) this.#rest();
        // The peer may have gone between the handshake and now; the next one is fetched with the next event.
        return;
      }
    });
  }

  #serve(fd: number): void {
    const transport = new FdTransport(fd, readIp(), readPort());
    const connection = new SocketConnection(transport, unserved);
    if (!welcome(this.#acceptor, connection)) {
      setOption(fd, SOL.SOCKET, SO.LINGER, 1);
      sys.close(fd);
      return;
    }
    transport.start(connection, false);
  }

  onAgain(): void {}

  /** No descriptors left: the event would come again and again. */
  #rest(): void {
    this.#acceptor.exhausted?.();
    poller().change(this.#fd, 0);
    setTimeout(() => {
      if (this.#open) poller().change(this.#fd, EPOLL.IN);
    }, EXHAUSTED_MS);
  }

  stop(): void {
    if (!this.#open) return;
    // Closing the socket resets what the kernel has completed for us and nobody fetched.
    this.#acceptUpTo(BACKLOG);
    this.#open = false;
    poller().close(this.#fd);
  }
}

/**
 * Listens on an IP address.
 * @throws an error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL ...) when it cannot.
 */
export function listenFd(ip: string, port: number, acceptor: Acceptor): ListeningSocket {
  const target = writeAddress(ip, port);
  if (target === undefined)
    throw Object.assign(new Error(`not an IP address: ${ip}`), { code: 'EADDRNOTAVAIL' });
  const fd = sys.socket(target.family, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', errno());
  setOption(fd, SOL.SOCKET, SO.REUSEADDR, 1);
  // Inherited by every accepted socket.
  setNoDelay(fd);
  if (target.family === AF.INET6) setOption(fd, SOL.IPV6, IPV6_V6ONLY, ip === '::' ? 0 : 1);
  if (sys.bind(fd, sockaddr, target.length) < 0) {
    const error = systemError('bind', errno());
    sys.close(fd);
    throw error;
  }
  if (sys.listen(fd, BACKLOG) < 0) {
    const error = systemError('listen', errno());
    sys.close(fd);
    throw error;
  }
  offerRoom();
  sys.getsockname(fd, sockaddr, sockaddrLength);
  return new FdListener(fd, readPort(), acceptor);
}
