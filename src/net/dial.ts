import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from './connection.ts';
import { type RuntimeSocket, SocketConnection, socketHandlers } from './socket-connection.ts';
import { Deadline, type TimerWheel } from './timer-wheel.ts';
import { runTurn } from './turn.ts';

/** Who waits for a connection to an endpoint. */
export interface Dialler {
  /** Connected; returns who serves the connection from now on. */
  onConnected(connection: Connection): ConnectionHandler;
  /** Could not connect: one of `connect_refused`, `connect_timeout`, `connect_failed`, `dns_failed`. */
  onDialFailed(code: FailureCode, detail: string): void;
}

/** The one place where error codes of the runtime become failure codes. */
function classify(error: unknown): { code: FailureCode; detail: string } {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ECONNREFUSED':
      return { code: 'connect_refused', detail: code };
    case 'ETIMEDOUT':
      return { code: 'connect_timeout', detail: code };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'ENODATA':
      return { code: 'dns_failed', detail: code };
    default:
      return { code: 'connect_failed', detail: code === '' ? String(error) : code };
  }
}

/**
 * Connects to `host` and `port`. Exactly one of the dialler's methods is called, once, never before this returns.
 * `timeoutMs` covers name resolution and the TCP handshake. The returned function gives up: then neither is called.
 */
export function dial(
  wheel: TimerWheel,
  host: string,
  port: number,
  timeoutMs: number,
  dialler: Dialler,
): () => void {
  let waiting = true;
  const deadline = new Deadline(wheel, {
    onDeadline() {
      if (!waiting) return;
      waiting = false;
      dialler.onDialFailed('connect_timeout', `no connection within ${timeoutMs} ms`);
    },
  });
  deadline.start(timeoutMs);
  const fail = (error: unknown): void => {
    if (!waiting) return;
    waiting = false;
    deadline.cancel();
    const { code, detail } = classify(error);
    runTurn(() => dialler.onDialFailed(code, detail));
  };
  Bun.connect<SocketConnection | undefined>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...socketHandlers,
      open(socket: RuntimeSocket) {
        if (!waiting) {
          socket.terminate();
          return;
        }
        waiting = false;
        deadline.cancel();
        runTurn(() => {
          const connection = new SocketConnection(socket, unconnected);
          socket.data = connection;
          connection.handler = dialler.onConnected(connection);
        });
      },
      connectError(_socket: RuntimeSocket, error: unknown) {
        fail(error);
      },
    },
  }).then(undefined, fail);
  return () => {
    waiting = false;
    deadline.cancel();
  };
}

const unconnected: ConnectionHandler = {
  onData() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
};
