import type {
  DatagramAcceptor,
  DatagramHandler,
  DatagramListener,
  DatagramSocket,
} from './datagram-socket.ts';
import { openBoundFd, serveFd } from './linux/fd-datagram-listener.ts';
import { connectFd } from './linux/fd-datagram-socket.ts';
import { resolveHost } from './resolve.ts';
import { connectRuntime, listenRuntimeDatagrams } from './runtime/runtime-datagrams.ts';
import { usesDescriptors } from './sockets.ts';

/** A bound UDP socket that nobody serves yet. */
export type BoundDatagrams = { readonly fd: number } | { readonly ip: string; readonly port: number };

/**
 * Binds a UDP socket on `host` (a name stands for its first address) and `port` (0: any free one). `shared`: others may bind the
 * same address, and the kernel divides the clients between them (SO_REUSEPORT).
 * @throws an error with `code` (EADDRINUSE, EACCES ...) when it cannot.
 */
export async function bindDatagrams(host: string, port: number, shared: boolean): Promise<BoundDatagrams> {
  const [ip] = await resolveHost(host);
  return usesDescriptors ? { fd: openBoundFd(ip!, port, shared) } : { ip: ip!, port };
}

/** Serves a bound socket: one of `bindDatagrams`, or a descriptor that another process bound. */
export async function serveDatagrams(
  bound: BoundDatagrams,
  acceptor: DatagramAcceptor,
): Promise<DatagramListener> {
  return 'fd' in bound
    ? serveFd(bound.fd, acceptor)
    : await listenRuntimeDatagrams(bound.ip, bound.port, acceptor);
}

/**
 * Opens a socket to an IP address. Sends nothing.
 * @throws an error with `code`: EMFILE or ENFILE without descriptors left, ENETUNREACH ...
 */
export function connectDatagrams(ip: string, port: number, handler: DatagramHandler): DatagramSocket {
  return usesDescriptors ? connectFd(ip, port, handler) : connectRuntime(ip, port, handler);
}
