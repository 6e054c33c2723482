import type { ConnectionHandler } from './connection.ts';
import { reportDefect } from './defects.ts';
import type { Acceptor } from './listen.ts';
import type { SocketConnection } from './socket-connection.ts';

/** Gives an accepted connection to who serves it. False when nobody does: it is to be closed at once. */
export function welcome(acceptor: Acceptor, connection: SocketConnection): boolean {
  let handler: ConnectionHandler | undefined;
  try {
    handler = acceptor.accept(connection);
  } catch (error) {
    reportDefect(error);
  }
  if (handler === undefined) return false;
  connection.handler = handler;
  connection.admitted = handler;
  connection.keeper = acceptor;
  return true;
}
