import { SocketConnection } from '../socket-connection.ts';
import type { Attempt } from '../dial.ts';
import type { TransportEvents } from '../transport.ts';
import { unserved } from '../unserved.ts';
import { runtimeHandlers, type RuntimeSocket, RuntimeTransport } from './runtime-socket.ts';

/** Connects by the runtime's own sockets. What the function gives up may stay in the kernel for a while. */
export function dialRuntime(ip: string, port: number, attempt: Attempt): () => void {
  let waiting = true;
  const fail = (error: unknown): void => {
    if (!waiting) return;
    waiting = false;
    attempt.onFailed(error);
  };
  Bun.connect<TransportEvents | undefined>({
    hostname: ip,
    port,
    allowHalfOpen: true,
    socket: {
      ...runtimeHandlers,
      open(socket: RuntimeSocket) {
        if (!waiting) {
          socket.terminate();
          return;
        }
        waiting = false;
        const connection = new SocketConnection(new RuntimeTransport(socket), unserved);
        socket.data = connection;
        attempt.onConnected(connection);
      },
      connectError(_socket: RuntimeSocket, error: unknown) {
        fail(error);
      },
    },
  }).then(undefined, fail);
  return () => {
    waiting = false;
  };
}
