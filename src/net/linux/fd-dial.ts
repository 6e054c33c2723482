import type { Attempt } from '../dial.ts';
import { SocketConnection } from '../socket-connection.ts';
import { unserved } from '../unserved.ts';
import { FdTransport, WATCHED_WITH_ROOM } from './fd-transport.ts';
import { E, EPOLL, errno, SO, SOCK, SOL, sys, systemError } from './libc.ts';
import { poller } from './poller.ts';
import { offerRoom, sockaddr, sockaddrLength, writeAddress } from './sockaddr.ts';

/** The pending error of a socket; 0 when there is none. */
function pendingError(fd: number): number {
  offerRoom();
  sockaddrLength.writeUInt32LE(4, 0);
  if (sys.getsockopt(fd, SOL.SOCKET, SO.ERROR, sockaddr, sockaddrLength) < 0) return errno();
  return sockaddr.readInt32LE(0);
}

/** Connects to an IP address. The returned function gives up, and leaves nothing behind. */
export function dialFd(ip: string, port: number, attempt: Attempt): () => void {
  const target = writeAddress(ip, port);
  if (target === undefined) {
    queueMicrotask(() =>
      attempt.onFailed(Object.assign(new Error(`not an IP address: ${ip}`), { code: 'EINVAL' })),
    );
    return () => {};
  }
  const fd = sys.socket(target.family, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) {
    const error = systemError('socket', errno());
    queueMicrotask(() => attempt.onFailed(error));
    return () => {};
  }
  if (sys.connect(fd, sockaddr, target.length) < 0) {
    const number = errno();
    if (number !== E.INPROGRESS) {
      sys.close(fd);
      queueMicrotask(() => attempt.onFailed(systemError('connect', number)));
      return () => {};
    }
  }
  let waiting = true;
  const unwatched = poller().tryAdd(fd, WATCHED_WITH_ROOM, {
    onAgain() {},
    onEvents(events) {
      if (!waiting) return;
      waiting = false;
      // Only an error event has an error behind it.
      const error = (events & (EPOLL.ERR | EPOLL.HUP)) === 0 ? 0 : pendingError(fd);
      if (error !== 0) {
        poller().close(fd);
        attempt.onFailed(systemError('connect', error));
        return;
      }
      const transport = new FdTransport(fd, ip, port, false);
      const connection = new SocketConnection(transport, unserved);
      transport.start(connection, true);
      attempt.onConnected(connection);
      // What the endpoint said at once came with the same event.
      transport.onEvents(events & ~EPOLL.OUT);
    },
  });
  if (unwatched !== undefined) {
    sys.close(fd);
    queueMicrotask(() => attempt.onFailed(unwatched));
    return () => {};
  }
  return () => {
    if (!waiting) return;
    waiting = false;
    poller().close(fd);
  };
}
