import type { Acceptor, ListeningSocket } from '../listen.ts';
import { SocketConnection } from '../socket-connection.ts';
import { runTurn } from '../turn.ts';
import type { TransportEvents } from '../transport.ts';
import { unserved } from '../unserved.ts';
import { welcome } from '../welcome.ts';
import { runtimeHandlers, type RuntimeSocket, RuntimeTransport } from './runtime-socket.ts';

/** Listens by the runtime's own sockets. Throws its error, with `code`, when it cannot. */
export function listenRuntime(ip: string, port: number, acceptor: Acceptor): ListeningSocket {
  const listener = Bun.listen<TransportEvents | undefined>({
    hostname: ip,
    port,
    allowHalfOpen: true,
    socket: {
      ...runtimeHandlers,
      open(socket: RuntimeSocket) {
        if ((socket.remoteAddress as string | undefined) === undefined) {
          // Reset before it was accepted.
          socket.terminate();
          return;
        }
        runTurn(() => {
          const connection = new SocketConnection(new RuntimeTransport(socket), unserved);
          if (welcome(acceptor, connection)) socket.data = connection;
          else socket.terminate();
        });
      },
    },
  });
  return {
    port: listener.port,
    stop: () => listener.stop(false),
  };
}
