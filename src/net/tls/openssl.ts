import { CString, dlopen, FFIType, type Pointer } from 'bun:ffi';

const { i32, u32, ptr: pointer } = FFIType;
/** Numbers here never need more than 53 bits. */
const { i64_fast: i64, u64_fast: u64 } = FFIType;
const nothing = FFIType.void;

/** An object of the library, known to us by its address alone. */
export type Handle = Pointer | bigint;

function loadSsl() {
  return dlopen('libssl.so.3', {
    TLS_server_method: { args: [], returns: pointer },
    TLS_client_method: { args: [], returns: pointer },
    SSL_CTX_new: { args: [pointer], returns: pointer },
    SSL_CTX_free: { args: [pointer], returns: nothing },
    SSL_CTX_ctrl: { args: [pointer, i32, i64, pointer], returns: i32 },
    SSL_CTX_set_options: { args: [pointer, u64], returns: u64 },
    SSL_CTX_set_cipher_list: { args: [pointer, pointer], returns: i32 },
    SSL_CTX_set_ciphersuites: { args: [pointer, pointer], returns: i32 },
    SSL_CTX_set_session_id_context: { args: [pointer, pointer, u32], returns: i32 },
    SSL_CTX_set_timeout: { args: [pointer, i64], returns: i64 },
    SSL_CTX_use_certificate: { args: [pointer, pointer], returns: i32 },
    SSL_CTX_use_PrivateKey: { args: [pointer, pointer], returns: i32 },
    SSL_CTX_set_alpn_select_cb: { args: [pointer, pointer, pointer], returns: nothing },
    SSL_CTX_set_alpn_protos: { args: [pointer, pointer, u32], returns: i32 },
    SSL_CTX_set_verify: { args: [pointer, i32, pointer], returns: nothing },
    SSL_CTX_set_verify_depth: { args: [pointer, i32], returns: nothing },
    SSL_CTX_set_default_verify_paths: { args: [pointer], returns: i32 },
    SSL_CTX_get_cert_store: { args: [pointer], returns: pointer },
    SSL_CTX_set_client_CA_list: { args: [pointer, pointer], returns: nothing },
    SSL_CTX_callback_ctrl: { args: [pointer, i32, pointer], returns: i64 },
    SSL_CTX_set_num_tickets: { args: [pointer, u64], returns: i32 },
    SSL_new: { args: [pointer], returns: pointer },
    SSL_free: { args: [pointer], returns: nothing },
    SSL_set_bio: { args: [pointer, pointer, pointer], returns: nothing },
    SSL_set_accept_state: { args: [pointer], returns: nothing },
    SSL_set_connect_state: { args: [pointer], returns: nothing },
    SSL_ctrl: { args: [pointer, i32, i64, pointer], returns: i32 },
    SSL_set1_host: { args: [pointer, pointer], returns: i32 },
    SSL_set_hostflags: { args: [pointer, u32], returns: nothing },
    SSL_get0_param: { args: [pointer], returns: pointer },
    SSL_do_handshake: { args: [pointer], returns: i32 },
    SSL_read: { args: [pointer, pointer, i32], returns: i32 },
    SSL_write: { args: [pointer, pointer, i32], returns: i32 },
    SSL_shutdown: { args: [pointer], returns: i32 },
    SSL_set_shutdown: { args: [pointer, i32], returns: nothing },
    SSL_get_error: { args: [pointer, i32], returns: i32 },
    SSL_get_version: { args: [pointer], returns: pointer },
    SSL_get_current_cipher: { args: [pointer], returns: pointer },
    SSL_CIPHER_standard_name: { args: [pointer], returns: pointer },
    SSL_session_reused: { args: [pointer], returns: i32 },
    SSL_get_verify_result: { args: [pointer], returns: i32 },
    SSL_get0_alpn_selected: { args: [pointer, pointer, pointer], returns: nothing },
    SSL_select_next_proto: {
      args: [pointer, pointer, pointer, u32, pointer, u32],
      returns: i32,
    },
    SSL_get_certificate: { args: [pointer], returns: pointer },
    SSL_get1_peer_certificate: { args: [pointer], returns: pointer },
    SSL_get0_verified_chain: { args: [pointer], returns: pointer },
    SSL_get1_session: { args: [pointer], returns: pointer },
    SSL_set_session: { args: [pointer, pointer], returns: i32 },
    SSL_SESSION_is_resumable: { args: [pointer], returns: i32 },
    SSL_SESSION_free: { args: [pointer], returns: nothing },
  }).symbols;
}

function loadCrypto() {
  return dlopen('libcrypto.so.3', {
    BIO_s_mem: { args: [], returns: pointer },
    BIO_new: { args: [pointer], returns: pointer },
    BIO_up_ref: { args: [pointer], returns: i32 },
    BIO_free: { args: [pointer], returns: i32 },
    BIO_read: { args: [pointer, pointer, i32], returns: i32 },
    BIO_write: { args: [pointer, pointer, i32], returns: i32 },
    BIO_ctrl: { args: [pointer, i32, i64, pointer], returns: i64 },
    BIO_ctrl_pending: { args: [pointer], returns: u32 },
    PEM_read_bio_X509: { args: [pointer, pointer, pointer, pointer], returns: pointer },
    PEM_read_bio_X509_CRL: { args: [pointer, pointer, pointer, pointer], returns: pointer },
    PEM_read_bio_PrivateKey: { args: [pointer, pointer, pointer, pointer], returns: pointer },
    EVP_PKEY_free: { args: [pointer], returns: nothing },
    X509_free: { args: [pointer], returns: nothing },
    X509_CRL_free: { args: [pointer], returns: nothing },
    X509_get_subject_name: { args: [pointer], returns: pointer },
    X509_NAME_dup: { args: [pointer], returns: pointer },
    X509_STORE_add_cert: { args: [pointer, pointer], returns: i32 },
    X509_STORE_add_crl: { args: [pointer, pointer], returns: i32 },
    X509_STORE_set_flags: { args: [pointer, u64], returns: i32 },
    X509_VERIFY_PARAM_set1_ip_asc: { args: [pointer, pointer], returns: i32 },
    X509_verify_cert_error_string: { args: [i64], returns: pointer },
    i2d_X509_bio: { args: [pointer, pointer], returns: i32 },
    OPENSSL_sk_new_null: { args: [], returns: pointer },
    OPENSSL_sk_push: { args: [pointer, pointer], returns: i32 },
    OPENSSL_sk_num: { args: [pointer], returns: i32 },
    OPENSSL_sk_value: { args: [pointer, i32], returns: pointer },
    CRYPTO_malloc: { args: [u64, pointer, i32], returns: pointer },
    memcpy: { args: [pointer, pointer, u64], returns: pointer },
    ERR_get_error: { args: [], returns: u32 },
    ERR_clear_error: { args: [], returns: nothing },
    ERR_reason_error_string: { args: [u64], returns: pointer },
    OpenSSL_version: { args: [i32], returns: pointer },
  }).symbols;
}

type Ssl = ReturnType<typeof loadSsl>;
type Crypto = ReturnType<typeof loadCrypto>;

/** Both halves of the library, OpenSSL 3 of the system. Manual pages: section 3ssl. */
export interface OpenSsl {
  readonly ssl: Ssl;
  readonly crypto: Crypto;
  /** What every connection's bytes go in and out by: emptied before any call returns, so that one pair serves all. */
  readonly input: Handle;
  readonly output: Handle;
}

let loaded: OpenSsl | undefined;
let problem: string | undefined;

function load(): OpenSsl | undefined {
  if (loaded !== undefined || problem !== undefined) return loaded;
  try {
    const ssl = loadSsl();
    const crypto = loadCrypto();
    const memory = crypto.BIO_s_mem()!;
    loaded = { ssl, crypto, input: crypto.BIO_new(memory)!, output: crypto.BIO_new(memory)! };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problem = `TLS needs OpenSSL 3 (libssl.so.3 and libcrypto.so.3; in Debian and Ubuntu the package libssl3), which cannot be loaded: ${reason}`;
  }
  return loaded;
}

/** Why TLS cannot be spoken on this machine; undefined when it can. */
export function tlsProblem(): string | undefined {
  load();
  return problem;
}

/**
 * The library; loaded when it is first needed, so that who speaks no TLS needs none.
 * @throws Error saying what is missing.
 */
export function openSsl(): OpenSsl {
  const library = load();
  if (library === undefined) throw new Error(problem);
  return library;
}

const texts = new Map<Handle, string>();

/** A text of the library that never changes, by its address. */
export function constantText(at: Handle | null): string {
  if (at === null) return '';
  let text = texts.get(at);
  if (text === undefined) {
    text = new CString(at);
    texts.set(at, text);
  }
  return text;
}

/** A text as the library takes it, with a zero at its end. */
export function cText(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1');
}

/** Lowest 23 bits of an error: the reason, by number. */
const REASON_BITS = 0x7f_ffff;

/** The first error that the library has noted, and forgets all: reason by number and in words. */
export function takeError(): { readonly reason: number; readonly text: string } {
  const { crypto } = openSsl();
  const code = crypto.ERR_get_error();
  if (code === 0) return { reason: 0, text: '' };
  const text = constantText(crypto.ERR_reason_error_string(code));
  crypto.ERR_clear_error();
  return { reason: code & REASON_BITS, text: text === '' ? `error ${code}` : text };
}

/** Commands of SSL_CTX_ctrl, SSL_ctrl and BIO_ctrl, which in C are macros. */
export const CTRL = {
  MODE: 33,
  SESSION_CACHE_MODE: 44,
  SET_TLSEXT_HOSTNAME: 55,
  SET_TLSEXT_TICKET_KEYS: 59,
  SET_TLSEXT_STATUS_REQ_CB: 63,
  SET_TLSEXT_STATUS_REQ_OCSP_RESP: 71,
  CHAIN_CERT: 89,
  SET_GROUPS_LIST: 92,
  SET_MIN_PROTO_VERSION: 123,
  SET_MAX_PROTO_VERSION: 124,
  BIO_SET_MEM_EOF_RETURN: 130,
} as const;

/** Both close_notify alerts, as far as the library is to know. */
export const SHUT_DOWN = 3;
export const SSL_ERROR = { WANT_READ: 2, ZERO_RETURN: 6 } as const;
