/** A socket that the supervisor opened and handed over: its descriptor in this process. */
export interface HandedSocket {
  readonly fd: number;
  /** The port in force. */
  readonly port: number;
}

/** The sockets that listeners of a configuration are to take. */
export interface Offers {
  /** The number of the socket of a listener: the same number is the same socket. */
  idOf(listener: string): number;
  /** Takes a socket, once; undefined where sockets are not handed over: then it is opened here. */
  take(id: number): HandedSocket | undefined;
}
