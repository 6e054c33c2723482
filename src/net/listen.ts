import type { Connection, ConnectionHandler } from './connection.ts';
import { listenFd } from './linux/fd-listener.ts';
import { resolveHost } from './resolve.ts';
import { listenRuntime } from './runtime/runtime-listener.ts';
import { usesDescriptors } from './sockets.ts';

export { acceptFrom } from './linux/fd-listener.ts';

/** Serves accepted connections. */
export interface Acceptor {
  /** Gives the handler of a new connection, or undefined to close it at once. */
  accept(connection: Connection): ConnectionHandler | undefined;
  /** The connection that was given this handler is gone. */
  released(handler: ConnectionHandler): void;
  /** Descriptors or memory are used up; accepting goes on in a moment. `reason`: the system's name of the error. */
  exhausted?(reason: string): void;
}

/** A listening socket. */
export interface ListeningSocket {
  /** The port in force, also when 0 was asked for. */
  readonly port: number;
  /** Accepts no more; accepted connections live on. */
  stop(): void;
}

/**
 * Listens on `host` (a name stands for its first address) and `port` (0: any free one).
 * @throws an error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND ...) when it cannot.
 */
export async function listen(host: string, port: number, acceptor: Acceptor): Promise<ListeningSocket> {
  const [ip] = await resolveHost(host);
  return usesDescriptors ? listenFd(ip!, port, acceptor) : listenRuntime(ip!, port, acceptor);
}
