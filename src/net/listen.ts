import type { Connection, ConnectionHandler } from './connection.ts';
import { type RuntimeSocket, SocketConnection, socketHandlers } from './socket-connection.ts';
import { enterTurn, leaveTurn } from './turn.ts';

/** Serves accepted connections. */
export interface Acceptor {
  /** Gives the handler of a new connection, or undefined to close it at once. */
  accept(connection: Connection): ConnectionHandler | undefined;
  /** The connection that was given this handler is gone. */
  released(handler: ConnectionHandler): void;
}

/** A listening socket. */
export interface ListeningSocket {
  /** The port in force, also when 0 was asked for. */
  readonly port: number;
  /** Accepts no more; accepted connections live on. */
  stop(): void;
}

const unserved: ConnectionHandler = {
  onData() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
};

/**
 * Listens on `host` and `port` (0: any free one).
 * @throws the runtime's error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL ...) when it cannot.
 */
export function listen(host: string, port: number, acceptor: Acceptor): ListeningSocket {
  const listener = Bun.listen<SocketConnection | undefined>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...socketHandlers,
      open(socket: RuntimeSocket) {
        enterTurn();
        const connection = new SocketConnection(socket, unserved);
        const handler = acceptor.accept(connection);
        if (handler === undefined) {
          socket.terminate();
        } else {
          connection.handler = handler;
          connection.onGone = () => acceptor.released(handler);
          socket.data = connection;
        }
        leaveTurn();
      },
    },
  });
  return {
    port: listener.port,
    stop: () => listener.stop(false),
  };
}
