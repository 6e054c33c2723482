import { createHash } from 'node:crypto';

import { certificateNames, certificatesOf } from '../../util/certificates.ts';
import { choosesProtocol, offerProtocols } from './alpn-choice.ts';
import {
  announceAuthorities,
  createContext,
  protocolList,
  TlsSettingsError,
  trust,
  useCertificate,
} from './context.ts';
import { NameTable } from './name-table.ts';
import { CTRL, type Handle, openSsl } from './openssl.ts';
import type { ServerCertificate, ServerTlsSettings } from './server-tls-settings.ts';
import { staplesWith } from './staple.ts';
import { TICKET_KEY_BYTES } from './ticket-keys.ts';

const VERIFY_PEER = 1;
const FAIL_WITHOUT_CERTIFICATE = 2;
const NO_TICKET = 0x4000;
/**
 * Tickets after a full handshake of TLS 1.3. The library's two cost 15 µs each, a thirteenth of all that a handshake takes; a resumed one
 * brings the next ticket with it (RFC 8446 section 4.6.1).
 */
const TICKETS = 1;
/** Protocol of a handshake that proves a name to an ACME server. */
export const CHALLENGE_PROTOCOL = 'acme-tls/1';
const CHALLENGE_OFFERED = protocolList([CHALLENGE_PROTOCOL]);

/** Connections that are open have a share in the context of the library; the last one frees it. */
const contexts = new FinalizationRegistry((handle: Handle) => openSsl().ssl.SSL_CTX_free(handle));

/** Certificates of one set of names: one a kind of key, and the library takes what the client can verify. */
export class ServerContext {
  readonly handle: Handle;
  /** Protocols in order of preference, as they are on the wire. */
  readonly offered: Buffer;
  /** Names that the certificates are used for. */
  readonly names: readonly string[];

  constructor(handle: Handle, offered: Buffer, names: readonly string[]) {
    this.handle = handle;
    this.offered = offered;
    this.names = names;
    contexts.register(this, handle);
  }
}

/**
 * The TLS of one listener: which certificate is for whom, and under which conditions. Immutable but for the ticket keys; a new set of
 * certificates is a new object, and connections that were begun with the old one go on with it.
 */
export class ServerTls {
  readonly #settings: ServerTlsSettings;
  readonly #names = new NameTable<ServerContext>();
  /** Undefined until there is a certificate. */
  readonly #default: ServerContext | undefined;
  readonly #offered: Buffer;

  /** @throws TlsSettingsError saying which certificate cannot be used and why. */
  constructor(settings: ServerTlsSettings) {
    this.#settings = settings;
    this.#offered = protocolList(settings.alpn);
    this.#default = this.#build();
  }

  #build(): ServerContext | undefined {
    const { certificates, defaultName } = this.#settings;
    if (certificates.length === 0) return undefined;
    const byName = new Map<string, ServerCertificate[]>();
    const kinds = new Map<ServerCertificate, string>();
    let first: string | undefined;
    for (const certificate of certificates) {
      const [leaf] = certificatesOf(certificate.cert);
      if (leaf === undefined)
        throw new TlsSettingsError(`there is no certificate in ${JSON.stringify(certificate.file)}`);
      kinds.set(certificate, leaf.publicKey.asymmetricKeyType ?? '');
      const names = namesOf(certificate);
      for (const name of names) {
        const others = byName.get(name) ?? [];
        // Of two with the same kind of key the first stands.
        if (others.every((other) => kinds.get(other) !== kinds.get(certificate))) others.push(certificate);
        byName.set(name, others);
      }
      first ??= names[0];
    }
    const built = new Map<string, ServerContext>();
    for (const [name, group] of byName) this.#names.add(name, this.#contextOf(group, built));
    const wanted = defaultName ?? first;
    const group = wanted === undefined ? undefined : byName.get(wanted);
    const found = wanted === undefined ? undefined : this.#names.find(wanted);
    return found ?? this.#contextOf(group ?? certificates.slice(0, 1), built);
  }

  #contextOf(group: readonly ServerCertificate[], built: Map<string, ServerContext>): ServerContext {
    const key = group.map((one) => this.#settings.certificates.indexOf(one)).join();
    let context = built.get(key);
    if (context === undefined) {
      context = this.#create(group);
      built.set(key, context);
    }
    return context;
  }

  #create(group: readonly ServerCertificate[]): ServerContext {
    const { ssl } = openSsl();
    const settings = this.#settings;
    const handle = createContext(settings, true);
    const context = new ServerContext(handle, this.#offered, [...new Set(group.flatMap(namesOf))]);
    for (const one of group) staplesWith(handle, useCertificate(handle, one), one.staple);
    // Sessions are resumed only with the same names, listener and demands on clients (CVE-2025-23419), and outlive a renewal.
    const identity = createHash('sha256').update(settings.name);
    for (const one of group) identity.update(JSON.stringify(namesOf(one)));
    identity.update(JSON.stringify(settings.clientCertificate ?? ''));
    const id = identity.digest();
    ssl.SSL_CTX_set_session_id_context(handle, id, id.length);
    ssl.SSL_CTX_set_timeout(handle, Math.round(settings.sessionLifetimeMs / 1000));
    if (settings.alpn.length > 0) choosesProtocol(handle);
    ssl.SSL_CTX_set_num_tickets(handle, settings.ticketKeys === undefined ? 0 : TICKETS);
    if (settings.ticketKeys === undefined) ssl.SSL_CTX_set_options(handle, NO_TICKET);
    this.#demandCertificate(handle);
    return context;
  }

  #demandCertificate(handle: Handle): void {
    const { clientCertificate } = this.#settings;
    if (clientCertificate === undefined) return;
    const { ssl } = openSsl();
    const { mode, ca, depth, crl } = clientCertificate;
    trust(handle, ca, crl);
    announceAuthorities(handle, ca);
    ssl.SSL_CTX_set_verify(handle, VERIFY_PEER + (mode === 'required' ? FAIL_WITHOUT_CERTIFICATE : 0), null);
    ssl.SSL_CTX_set_verify_depth(handle, depth);
  }

  /** Whether clients are asked for a certificate. */
  get asksClients(): boolean {
    return this.#settings.clientCertificate !== undefined;
  }

  /** What to serve a client with that asks for `name`, empty for none; undefined when it is to be refused. */
  contextFor(name: string): ServerContext | undefined {
    if (name === '') return this.#default;
    return this.#names.find(name) ?? (this.#settings.strict ? undefined : this.#default);
  }

  /**
   * What to serve an ACME server with that wants a proof for `name` by `acme-tls/1` (RFC 8737 section 3); undefined when none is under
   * way. Asked for a few times in months, so nothing of it is kept.
   */
  challengeContextFor(name: string): ServerContext | undefined {
    const pem = this.#settings.challenges?.challengeCertificate(name.toLowerCase());
    if (pem === undefined) return undefined;
    const { ssl } = openSsl();
    const handle = createContext(this.#settings, true);
    const context = new ServerContext(handle, CHALLENGE_OFFERED, [name]);
    useCertificate(handle, { file: `the proof for ${name}`, cert: pem, key: pem, passphrase: '' });
    ssl.SSL_CTX_set_options(handle, NO_TICKET);
    ssl.SSL_CTX_set_num_tickets(handle, 0);
    choosesProtocol(handle);
    return context;
  }

  /** Runs one step of a handshake. `hello` is the ClientHello when it is what this step reads. */
  step(context: ServerContext, hello: Buffer | undefined, run: () => number): number {
    offerProtocols(context.offered);
    const { ticketKeys } = this.#settings;
    if (ticketKeys === undefined) return run();
    const previous = hello === undefined ? undefined : ticketKeys.previousIn(hello);
    setTicketKey(context, previous ?? ticketKeys.current);
    const result = run();
    if (previous !== undefined) setTicketKey(context, ticketKeys.current);
    return result;
  }
}

/** The names that a certificate is used for. */
function namesOf({ cert, names }: ServerCertificate): readonly string[] {
  const [leaf] = names === undefined ? certificatesOf(cert) : [];
  return names ?? (leaf === undefined ? [] : certificateNames(leaf));
}

function setTicketKey(context: ServerContext, key: Buffer): void {
  openSsl().ssl.SSL_CTX_ctrl(context.handle, CTRL.SET_TLSEXT_TICKET_KEYS, TICKET_KEY_BYTES, key);
}
