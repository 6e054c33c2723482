import { cText, CTRL, type Handle, openSsl, takeError } from './openssl.ts';

/** Versions of TLS that are spoken at all; older ones are broken (RFC 8996). */
export type TlsVersion = '1.2' | '1.3';

/** What holds for both sides. */
export interface ProtocolSettings {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** Of TLS 1.2, as OpenSSL writes lists, in order of preference. */
  readonly ciphers: string;
  /** Of TLS 1.3, in order of preference. */
  readonly cipherSuites: string;
  /** Groups of the key exchange, in order of preference. */
  readonly curves: string;
}

const VERSION: Readonly<Record<TlsVersion, number>> = { '1.2': 0x0303, '1.3': 0x0304 };

/** Options of the library (ssl.h): no SSLv3 to TLS 1.1, no compression, no renegotiation. */
const OPTIONS = 0x0200_0000 + 0x0400_0000 + 0x1000_0000 + 0x0002_0000 + 0x4000_0000;
/** Our order of ciphers counts, but ChaCha20 is taken where the client has it first: it has no AES in hardware (ssl.h). */
const SERVER_OPTIONS = 0x0040_0000 + 0x0020_0000;
const MODE_RELEASE_BUFFERS = 0x10;
/** The chain is what was configured. Else the library looks for one in each handshake. */
const MODE_NO_AUTO_CHAIN = 0x8;
const SESSION_CACHE_OFF = 0;
const VERIFY_NONE = 0;

/** A problem with what a context was to be made from. */
export class TlsSettingsError extends Error {}

/** @throws TlsSettingsError with the reason of the library when `result` is not 1. */
function must(result: number | Handle | null, what: string): void {
  if (result === 1 || (typeof result === 'number' && result > 1)) return;
  const { text } = takeError();
  const reason = text === '' ? '' : `: ${text}`;
  const remedy = /\bkey too small$/.test(text) ? '; an RSA key needs 2048 bits or more' : '';
  throw new TlsSettingsError(`${what}${reason}${remedy}`);
}

/** What some editors put in front of a text (UTF-8), each byte a character. */
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/** Runs `use` on what `text` holds, as a file of the library. */
function withText<T>(text: string | Buffer, use: (bio: Handle) => T): T {
  const { crypto } = openSsl();
  const bytes = Buffer.from(
    typeof text === 'string' && text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text,
  );
  const bio = crypto.BIO_new(crypto.BIO_s_mem());
  if (bio === null) throw new TlsSettingsError('no memory');
  try {
    crypto.BIO_write(bio, bytes, bytes.length);
    return use(bio);
  } finally {
    crypto.BIO_free(bio);
  }
}

/** Reads one thing after the other from PEM text. Whoever calls owns them. */
function readAll(text: string, read: (bio: Handle) => Handle | null): Handle[] {
  return withText(text, (bio) => {
    const found: Handle[] = [];
    for (let one = read(bio); one !== null; one = read(bio)) found.push(one);
    openSsl().crypto.ERR_clear_error();
    return found;
  });
}

/** Lists of which every name is known. */
const known = new Set<string>();

/** What takes ciphers out of the list or sorts it, and means nothing by itself (ciphers(1) of OpenSSL). */
const OPERATION = /^[!+@-]/;

/** Sets a list of names by `set`. The library passes over names that it does not know, so each is tried by itself first. */
function setList(what: string, list: string, set: (list: Buffer) => number): void {
  const key = `${what} ${list}`;
  if (!known.has(key)) {
    for (const name of list.split(':')) if (!OPERATION.test(name)) must(set(cText(name)), `${what}: ${name}`);
    known.add(key);
  }
  must(set(cText(list)), what);
}

/** A context with what both sides have in common. */
export function createContext(settings: ProtocolSettings, server: boolean): Handle {
  const { ssl } = openSsl();
  const context = ssl.SSL_CTX_new(server ? ssl.TLS_server_method() : ssl.TLS_client_method());
  if (context === null) throw new TlsSettingsError(`no TLS context: ${takeError().text}`);
  try {
    ssl.SSL_CTX_set_options(context, server ? OPTIONS + SERVER_OPTIONS : OPTIONS);
    ssl.SSL_CTX_ctrl(context, CTRL.MODE, MODE_RELEASE_BUFFERS + MODE_NO_AUTO_CHAIN, null);
    ssl.SSL_CTX_ctrl(context, CTRL.SESSION_CACHE_MODE, SESSION_CACHE_OFF, null);
    must(
      ssl.SSL_CTX_ctrl(context, CTRL.SET_MIN_PROTO_VERSION, VERSION[settings.minVersion], null),
      'minVersion',
    );
    must(
      ssl.SSL_CTX_ctrl(context, CTRL.SET_MAX_PROTO_VERSION, VERSION[settings.maxVersion], null),
      'maxVersion',
    );
    setList('ciphers', settings.ciphers, (list) => ssl.SSL_CTX_set_cipher_list(context, list));
    setList('cipherSuites', settings.cipherSuites, (list) => ssl.SSL_CTX_set_ciphersuites(context, list));
    setList('curves', settings.curves, (list) => ssl.SSL_CTX_ctrl(context, CTRL.SET_GROUPS_LIST, 0, list));
    ssl.SSL_CTX_set_verify(context, VERIFY_NONE, null);
    return context;
  } catch (error) {
    ssl.SSL_CTX_free(context);
    throw error;
  }
}

/** A certificate of our own with its chain and key, as PEM text. */
export interface CertificateText {
  /** Where the certificate is from, for messages. */
  readonly file: string;
  readonly cert: string;
  readonly key: string;
  /** Of the key; empty for none. */
  readonly passphrase: string;
}

/**
 * Gives a context one certificate; one of each kind of key may be there. Returns the library's object, which lives as long as the context.
 * @throws TlsSettingsError naming the file.
 */
export function useCertificate(context: Handle, { file, cert, key, passphrase }: CertificateText): Handle {
  const { ssl, crypto } = openSsl();
  const name = JSON.stringify(file);
  const [leaf, ...chain] = readAll(cert, (bio) => crypto.PEM_read_bio_X509(bio, null, null, null));
  if (leaf === undefined) throw new TlsSettingsError(`there is no certificate in ${name}`);
  // Without a passphrase of ours the library would ask at the terminal.
  const privateKey = withText(key, (bio) =>
    crypto.PEM_read_bio_PrivateKey(bio, null, null, cText(passphrase)),
  );
  try {
    must(privateKey, `the private key of the certificate in ${name} cannot be read`);
    must(ssl.SSL_CTX_use_certificate(context, leaf), `the certificate in ${name} cannot be used`);
    must(
      ssl.SSL_CTX_use_PrivateKey(context, privateKey),
      `the private key does not belong to the certificate in ${name}`,
    );
    for (const one of chain)
      must(
        ssl.SSL_CTX_ctrl(context, CTRL.CHAIN_CERT, 1, one),
        `a certificate of the chain in ${name} cannot be used`,
      );
    return leaf;
  } finally {
    if (privateKey !== null) crypto.EVP_PKEY_free(privateKey);
    for (const one of [leaf, ...chain]) crypto.X509_free(one);
  }
}

const CRL_CHECK = 0x4;
const CRL_CHECK_ALL = 0x8;

/** Believes the CAs in `ca`, and nobody else. With `crl`, certificates that it names are refused. */
export function trust(context: Handle, ca: string, crl: string | undefined): void {
  const { ssl, crypto } = openSsl();
  const store = ssl.SSL_CTX_get_cert_store(context);
  const roots = readAll(ca, (bio) => crypto.PEM_read_bio_X509(bio, null, null, null));
  if (roots.length === 0) throw new TlsSettingsError('there is no certificate in ca');
  for (const root of roots) {
    crypto.X509_STORE_add_cert(store, root);
    crypto.X509_free(root);
  }
  if (crl === undefined) return;
  const lists = readAll(crl, (bio) => crypto.PEM_read_bio_X509_CRL(bio, null, null, null));
  if (lists.length === 0) throw new TlsSettingsError('there is no revocation list in crl');
  for (const list of lists) {
    crypto.X509_STORE_add_crl(store, list);
    crypto.X509_CRL_free(list);
  }
  crypto.X509_STORE_set_flags(store, CRL_CHECK + (lists.length > 1 ? CRL_CHECK_ALL : 0));
}

/** Tells clients whose certificates are asked for: the subjects of the CAs in `ca`. */
export function announceAuthorities(context: Handle, ca: string): void {
  const { ssl, crypto } = openSsl();
  const names = crypto.OPENSSL_sk_new_null()!;
  for (const root of readAll(ca, (bio) => crypto.PEM_read_bio_X509(bio, null, null, null))) {
    const name = crypto.X509_NAME_dup(crypto.X509_get_subject_name(root));
    if (name !== null) crypto.OPENSSL_sk_push(names, name);
    crypto.X509_free(root);
  }
  ssl.SSL_CTX_set_client_CA_list(context, names);
}

/** A list of protocols in the form of RFC 7301. */
export function protocolList(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.map((protocol) => Buffer.from([protocol.length, ...Buffer.from(protocol)])));
}
