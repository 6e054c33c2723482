import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { TICKET_KEY_BYTES, TicketKeys } from '../net/tls/ticket-keys.ts';
import type { TlsInfo } from '../net/tls/tls-info.ts';
import { createListenerTls } from '../supervisor/listener-tls.ts';

/** What a handshake comes to, as far as the name that the client asks for decides it. */
export interface AskedHandshake {
  /** Names of the certificate that is shown; undefined when the client is refused for its name. */
  readonly certificate: readonly string[] | undefined;
  /** What requests on that connection are judged by. */
  readonly info: TlsInfo;
}

/**
 * Finds the certificate as the data path does.
 * @param serverName Empty when the client names none.
 * @returns undefined when the listener speaks no TLS.
 */
export function askedHandshake(
  { name, tls }: HttpListenerConfig,
  serverName: string,
): AskedHandshake | undefined {
  if (tls === undefined) return undefined;
  // Nothing is sealed here.
  const keys = new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES)]);
  const { server } = createListenerTls(name, tls, keys, undefined);
  const context = server.contextFor(serverName);
  const covers = (host: string): boolean => serverName === '' || server.contextFor(host) === context;
  const agreed = { version: '', cipher: '', alpn: '', resumed: false, peer: undefined };
  return { certificate: context?.names, info: { ...agreed, serverName, covers } };
}
