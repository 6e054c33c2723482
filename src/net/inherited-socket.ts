import { setNoDelay } from './linux/fd-transport.ts';
import { BACKLOG } from './linux/bind-socket.ts';
import { AF, errno, F, FD_CLOEXEC, fixed, SO, SOCK, SOL, sys, systemError } from './linux/libc.ts';
import { offerRoom, readIp, readPort, sockaddr, sockaddrLength } from './linux/sockaddr.ts';

/** What a socket carries. */
export type SocketType = 'tcp' | 'udp';

/** A bound socket that this process did not open itself. */
export interface InheritedSocket {
  readonly fd: number;
  readonly type: SocketType;
  /** Where it is bound. */
  readonly ip: string;
  readonly port: number;
}

const value = fixed(4);
const valueLength = fixed(4);

function option(fd: number, name: number): number {
  valueLength.writeUInt32LE(4, 0);
  return sys.getsockopt(fd, SOL.SOCKET, name, value, valueLength) < 0 ? -1 : value.readInt32LE(0);
}

/**
 * Takes over a descriptor: it closes when another program is started, and calls on it do not wait.
 * @returns undefined when it is no bound socket of TCP or UDP; it stays open then.
 */
export function inheritSocket(fd: number): InheritedSocket | undefined {
  const kind = option(fd, SO.TYPE);
  if (kind !== SOCK.STREAM && kind !== SOCK.DGRAM) return undefined;
  offerRoom();
  if (sys.getsockname(fd, sockaddr, sockaddrLength) < 0) return undefined;
  const family = sockaddr.readUInt16LE(0);
  if (family !== AF.INET && family !== AF.INET6) return undefined;
  const socket: InheritedSocket = {
    fd,
    type: kind === SOCK.STREAM ? 'tcp' : 'udp',
    ip: readIp(),
    port: readPort(),
  };
  sys.fcntl(fd, F.SETFD, FD_CLOEXEC);
  sys.fcntl(fd, F.SETFL, SOCK.NONBLOCK);
  if (socket.type === 'tcp') {
    if (option(fd, SO.ACCEPTCONN) !== 1) return undefined;
    // As our own have it: inherited by every accepted socket, and a queue of the same length.
    setNoDelay(fd);
    sys.listen(fd, BACKLOG);
  }
  return socket;
}

/** @throws an error with `code` when there are no descriptors left. */
export function duplicate(fd: number): number {
  const copy = sys.fcntl(fd, F.DUPFD_CLOEXEC, 0);
  if (copy < 0) throw systemError('fcntl', errno());
  return copy;
}

export function closeInherited({ fd }: InheritedSocket): void {
  sys.close(fd);
}
