import type { HandshakeFailureReason } from '../../model/tls-stats.ts';
import { constantText, openSsl, takeError, type Handle } from './openssl.ts';

/** A handshake that failed. `detail` is for people. */
export interface HandshakeFailure {
  readonly reason: HandshakeFailureReason;
  readonly detail: string;
}

/** Reasons of the library (sslerr.h) that mean something of their own. */
const REASONS: Readonly<Record<number, HandshakeFailureReason>> = {
  101: 'cipher',
  118: 'cipher',
  134: 'certificate',
  155: 'not-tls',
  156: 'not-tls',
  193: 'cipher',
  199: 'certificate-missing',
  235: 'no-protocol',
  258: 'version',
  267: 'version',
  294: 'closed',
  396: 'version',
  410: 'cipher',
};
/** Above this number the reason of an error is an alert of the peer. */
export const PEER_ALERTS = 1000;
const X509_V_OK = 0;
/** bad_certificate to certificate_unknown, unknown_ca, access_denied, certificate_required: RFC 8446 section 6. */
const ABOUT_CERTIFICATES: ReadonlySet<number> = new Set([42, 43, 44, 45, 46, 48, 49, 116]);

/** Whether an alert says that the certificate which the peer was shown will not do, or that there must be one. */
export function isAboutCertificate(alert: number): boolean {
  return ABOUT_CERTIFICATES.has(alert);
}

/** What the library noted of a handshake that failed just now. */
export function handshakeFailure(ssl: Handle): HandshakeFailure {
  const { reason, text } = takeError();
  const known = REASONS[reason] ?? (reason > PEER_ALERTS ? 'alert' : 'other');
  if (known !== 'certificate') return { reason: known, detail: text === '' ? 'the handshake failed' : text };
  const library = openSsl();
  const result = library.ssl.SSL_get_verify_result(ssl);
  const why =
    result === X509_V_OK ? text : constantText(library.crypto.X509_verify_cert_error_string(result));
  return { reason: 'certificate', detail: why };
}
