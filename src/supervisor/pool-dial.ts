import type { PoolConfig } from '../config/schema/pool.ts';
import { dial } from '../net/dial.ts';
import { ClientTls } from '../net/tls/client-tls.ts';
import { dialTls } from '../net/tls/dial-tls.ts';
import { certificateText } from './listener-tls.ts';

/** How the endpoints of a pool are dialled: plainly, or with TLS. Connections that are open stay as they are. */
export class PoolDial {
  readonly dial: typeof dial;
  #tls: ClientTls | undefined = undefined;

  constructor() {
    this.dial = dialTls(dial, () => this.#tls);
  }

  /**
   * Makes ready what a configuration asks for; nothing changes before the returned function is called.
   * @throws Error naming the pool, when a certificate or a setting cannot be used.
   */
  prepare(config: PoolConfig): () => void {
    const tls = createPoolTls(config);
    return () => {
      this.#tls = tls;
    };
  }
}

/** @throws Error naming the pool. */
export function createPoolTls({ name, protocol, tls }: PoolConfig): ClientTls | undefined {
  if (tls === undefined) return undefined;
  const { clientCertificate } = tls;
  try {
    return new ClientTls({
      verify: tls.verify,
      ca: tls.ca?.content,
      serverName: tls.sni,
      certificate: clientCertificate === undefined ? undefined : certificateText(clientCertificate),
      alpn: protocol === 'h2' ? ['h2'] : [],
      resumes: tls.sessionReuse,
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion,
      ciphers: tls.ciphers.join(':'),
      cipherSuites: tls.cipherSuites.join(':'),
      curves: tls.curves.join(':'),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`pool ${name}: TLS: ${reason}`, { cause: error });
  }
}
