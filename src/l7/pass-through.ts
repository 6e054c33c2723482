import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';

/** A client whose TLS is passed on. */
export interface PassedOn extends ConnectionHandler {
  /** Ends it at once. */
  cut(failure: FailureCode): void;
}

/** Takes the clients of a listener whose TLS is for somebody else to end. Implemented below HTTP. */
export interface PassThrough {
  /** Sessions that are open. */
  readonly busy: number;
  /**
   * Takes a client that has said no more than its ClientHello, if a route is for it.
   * @param bytes Everything that has come, valid until this returns.
   * @returns who serves the connection from now on; undefined when it is not for us.
   */
  take(connection: Connection, hello: ClientHello, bytes: Buffer): PassedOn | undefined;
  /** Asks both ends of the sessions with `endpoint` to close. */
  closeSessions(endpoint: Endpoint): void;
  /** Resets the sessions with `endpoint`, which is down. */
  cutSessions(endpoint: Endpoint): void;
}
