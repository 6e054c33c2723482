import { systemClock } from '../../util/clock.ts';
import { SocketConnection } from '../socket-connection.ts';
import { isExhaustion } from '../exhaustion.ts';
import type { Acceptor, ListeningSocket } from '../listen.ts';
import { unserved } from '../unserved.ts';
import { runTurn } from '../turn.ts';
import { welcome } from '../welcome.ts';
import { BACKLOG, bindStream, startListening } from './bind-socket.ts';
import { E, EPOLL, errno, errorName, SO, SOCK, SOL, sys } from './libc.ts';
import { FdTransport, setOption } from './fd-transport.ts';
import { poller, type PollTarget } from './poller.ts';
import { offerRoom, readIp, readPort, sockaddr, sockaddrLength } from './sockaddr.ts';

/** Connections fetched in one go, at most, and at least: new clients are not to starve where the open ones keep us busy by themselves. */
const ACCEPTS_PER_EVENT = 64;
const FEWEST_ACCEPTS = 4;
/** ... before it is known what they bring. */
const FIRST_ACCEPTS = 16;
/**
 * When a round of events takes longer than this, fewer are fetched: new connections wait in the kernel, and those that are open are not kept
 * waiting by all that the new ones bring, milliseconds.
 */
const LONG_ROUND_MS = 10;
/** How long nothing is accepted when there is nothing left to do it with, milliseconds. */
const EXHAUSTED_MS = 100;

/** A listening socket of ours. */
class FdListener implements PollTarget, ListeningSocket {
  readonly port: number;
  readonly #fd: number;
  readonly #acceptor: Acceptor;
  #open = true;
  /** Connections fetched in one go at present. */
  #most = FIRST_ACCEPTS;
  /** When the last go began, if it left others waiting; else 0. */
  #leftMs = 0;

  constructor(fd: number, port: number, acceptor: Acceptor) {
    this.#fd = fd;
    this.port = port;
    this.#acceptor = acceptor;
    poller().add(fd, EPOLL.IN, this);
  }

  onEvents(): void {
    const nowMs = systemClock.nowMs();
    if (this.#leftMs > 0) {
      const long = nowMs - this.#leftMs > LONG_ROUND_MS;
      this.#most = long
        ? Math.max(FEWEST_ACCEPTS, this.#most >> 1)
        : Math.min(ACCEPTS_PER_EVENT, this.#most << 1);
    }
    this.#leftMs = this.#acceptUpTo(this.#most) ? 0 : nowMs;
  }

  /** Returns whether nobody was left waiting, as far as we know. */
  #acceptUpTo(most: number): boolean {
    let all = false;
    runTurn(() => {
      for (let count = 0; count < most && this.#open; count++) {
        offerRoom();
        const fd = sys.accept4(this.#fd, sockaddr, sockaddrLength, SOCK.NONBLOCK | SOCK.CLOEXEC);
        if (fd >= 0) {
          this.#serve(fd);
          continue;
        }
        const error = errno();
        if (error !== E.AGAIN && isExhaustion(errorName(error))) this.#rest(errorName(error));
        // The peer may have gone between the handshake and now; the next one is fetched with the next event.
        all = true;
        return;
      }
    });
    return all;
  }

  #serve(fd: number): void {
    const transport = new FdTransport(fd, readIp(), readPort(), true);
    const connection = new SocketConnection(transport, unserved);
    if (!welcome(this.#acceptor, connection)) {
      setOption(fd, SOL.SOCKET, SO.LINGER, 1);
      sys.close(fd);
      return;
    }
    transport.start(connection, false);
  }

  onAgain(): void {}

  /** Nothing left to accept with: the event would come again and again. */
  #rest(reason: string): void {
    this.#acceptor.exhausted?.(reason);
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
    poller().release(this.#fd);
  }
}

/** Accepts from a listening socket that was made by `bindStream`, here or in another process. It is closed when this stops. */
export function acceptFrom(fd: number, port: number, acceptor: Acceptor): ListeningSocket {
  return new FdListener(fd, port, acceptor);
}

/**
 * Listens on an IP address.
 * @throws an error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL ...) when it cannot.
 */
export function listenFd(ip: string, port: number, acceptor: Acceptor): ListeningSocket {
  const bound = bindStream(ip, port, 'alone');
  startListening(bound.fd);
  return new FdListener(bound.fd, bound.port, acceptor);
}
