import { setNoDelay, setOption } from './fd-transport.ts';
import { AF, errno, IPV6_V6ONLY, SO, SOCK, SOL, sys, systemError } from './libc.ts';
import { offerRoom, readPort, sockaddr, sockaddrLength, writeAddress } from './sockaddr.ts';

/** Connections that the kernel completes for us to fetch. */
export const BACKLOG = 4096;

/**
 * `alone`: nobody else may have the address. `shared`: with others of this user that say so too (SO_REUSEPORT, socket(7)), and
 * the kernel spreads what comes in over them.
 */
export type Sharing = 'alone' | 'shared';

/** A socket with its address. */
export interface BoundSocket {
  readonly fd: number;
  /** The port in force, also when 0 was asked for. */
  readonly port: number;
}

/**
 * Makes a TCP socket and binds it to an IP address; it does not listen yet.
 * @throws an error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL ...) when it cannot.
 */
export function bindStream(ip: string, port: number, sharing: Sharing): BoundSocket {
  const target = writeAddress(ip, port);
  if (target === undefined)
    throw Object.assign(new Error(`not an IP address: ${ip}`), { code: 'EADDRNOTAVAIL' });
  const fd = sys.socket(target.family, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', errno());
  // Connections that wait for their end (TIME_WAIT) do not hold the address.
  setOption(fd, SOL.SOCKET, SO.REUSEADDR, 1);
  // Inherited by every accepted socket.
  setNoDelay(fd);
  if (sharing === 'shared') setOption(fd, SOL.SOCKET, SO.REUSEPORT, 1);
  if (target.family === AF.INET6) setOption(fd, SOL.IPV6, IPV6_V6ONLY, ip === '::' ? 0 : 1);
  if (sys.bind(fd, sockaddr, target.length) < 0) {
    const error = systemError('bind', errno());
    sys.close(fd);
    throw error;
  }
  return { fd, port: boundPort(fd) };
}

/** The port that a socket has. */
export function boundPort(fd: number): number {
  offerRoom();
  sys.getsockname(fd, sockaddr, sockaddrLength);
  return readPort();
}

/**
 * Lets clients connect; closes the socket when that fails.
 * @throws an error with `code`, EADDRINUSE when somebody was faster.
 */
export function startListening(fd: number): void {
  if (sys.listen(fd, BACKLOG) === 0) return;
  const error = systemError('listen', errno());
  sys.close(fd);
  throw error;
}
