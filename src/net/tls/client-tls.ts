import { isIP } from 'node:net';

import {
  type CertificateText,
  createContext,
  protocolList,
  type ProtocolSettings,
  trust,
  useCertificate,
} from './context.ts';
import { cText, CTRL, type Handle, openSsl } from './openssl.ts';

/** What TLS towards endpoints is made from. */
export interface ClientTlsSettings extends ProtocolSettings {
  readonly verify: boolean;
  /** PEM of the CAs that are believed; undefined for those of the system. */
  readonly ca: string | undefined;
  /** Name that is asked for and verified; undefined for the host that is dialled. */
  readonly serverName: string | undefined;
  readonly certificate: CertificateText | undefined;
  /** In order of preference; empty for no ALPN. */
  readonly alpn: readonly string[];
  /** Sessions are resumed. */
  readonly resumes: boolean;
}

const VERIFY_PEER = 1;
/** A wildcard stands for one whole label (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS). */
const WHOLE_LABELS = 4;
/** Endpoints whose sessions are kept. */
const MOST_SESSIONS = 1000;

interface Owned {
  readonly context: Handle;
  /** The latest session of each endpoint. */
  readonly sessions: Map<string, Handle>;
}

const owned = new FinalizationRegistry(({ context, sessions }: Owned) => {
  const { ssl } = openSsl();
  for (const session of sessions.values()) ssl.SSL_SESSION_free(session);
  ssl.SSL_CTX_free(context);
});

/** How TLS is spoken to the endpoints of one pool. Immutable but for the sessions that it remembers. */
export class ClientTls {
  readonly #settings: ClientTlsSettings;
  readonly #context: Handle;
  readonly #sessions = new Map<string, Handle>();

  /** @throws TlsSettingsError saying what cannot be used. */
  constructor(settings: ClientTlsSettings) {
    const { ssl } = openSsl();
    this.#settings = settings;
    this.#context = createContext(settings, false);
    owned.register(this, { context: this.#context, sessions: this.#sessions });
    const { ca, certificate, alpn } = settings;
    if (settings.verify) {
      ssl.SSL_CTX_set_verify(this.#context, VERIFY_PEER, null);
      if (ca === undefined) ssl.SSL_CTX_set_default_verify_paths(this.#context);
      else trust(this.#context, ca, undefined);
    }
    if (certificate !== undefined) useCertificate(this.#context, certificate);
    const protocols = protocolList(alpn);
    if (alpn.length > 0) ssl.SSL_CTX_set_alpn_protos(this.#context, protocols, protocols.length);
  }

  /** Name that `host` is asked for. */
  serverName(host: string): string {
    return this.#settings.serverName ?? host;
  }

  /** The client's side of a connection to `host`; null when there is no memory for it. */
  connect(host: string, port: number): Handle | null {
    const { ssl, crypto } = openSsl();
    const handle = ssl.SSL_new(this.#context);
    if (handle === null) return null;
    ssl.SSL_set_connect_state(handle);
    const name = this.serverName(host);
    if (isIP(name) === 0) {
      ssl.SSL_ctrl(handle, CTRL.SET_TLSEXT_HOSTNAME, 0, cText(name));
      ssl.SSL_set_hostflags(handle, WHOLE_LABELS);
      ssl.SSL_set1_host(handle, cText(name));
    } else {
      crypto.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(handle), cText(name));
    }
    const session = this.#sessions.get(`${host}:${port}`);
    if (session !== undefined) ssl.SSL_set_session(handle, session);
    return handle;
  }

  /** Keeps the session of a connection to `host` for the next one. */
  remember(handle: Handle, host: string, port: number): void {
    if (!this.#settings.resumes) return;
    const { ssl } = openSsl();
    const session = ssl.SSL_get1_session(handle);
    if (session === null) return;
    const key = `${host}:${port}`;
    const before = this.#sessions.get(key);
    const full = before === undefined && this.#sessions.size >= MOST_SESSIONS;
    if (full || ssl.SSL_SESSION_is_resumable(session) !== 1) {
      ssl.SSL_SESSION_free(session);
      return;
    }
    if (before !== undefined) ssl.SSL_SESSION_free(before);
    this.#sessions.set(key, session);
  }
}
