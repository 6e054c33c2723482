import type { ChallengeSource } from '../../model/ports.ts';
import type { CertificateText, ProtocolSettings } from './context.ts';
import type { TicketKeys } from './ticket-keys.ts';

/** A certificate of a listener. */
export interface ServerCertificate extends CertificateText {
  /** Names that it is used for; undefined for those that stand in it. */
  readonly names: readonly string[] | undefined;
  /** OCSP response to show with it, DER; undefined for none. */
  readonly staple: Buffer | undefined;
}

/** What clients have to show. */
interface ClientCertificateSettings {
  readonly mode: 'required' | 'optional';
  /** PEM of the CAs that are believed. */
  readonly ca: string;
  readonly depth: number;
  readonly crl: string | undefined;
}

/** What the TLS of a listener is made from. */
export interface ServerTlsSettings extends ProtocolSettings {
  /** Tells the sessions of this listener from those of others. */
  readonly name: string;
  readonly certificates: readonly ServerCertificate[];
  /** Name whose certificate is shown to who names none, or one that there is not; undefined: the first certificate. */
  readonly defaultName: string | undefined;
  /** Who names a name that there is not is refused. */
  readonly strict: boolean;
  /** In order of preference. */
  readonly alpn: readonly string[];
  readonly clientCertificate: ClientCertificateSettings | undefined;
  /** How long a session can be resumed, milliseconds. */
  readonly sessionLifetimeMs: number;
  /** Undefined: no session is resumed. */
  readonly ticketKeys: TicketKeys | undefined;
  /** Proofs for an ACME server; undefined: it would get none. */
  readonly challenges: ChallengeSource | undefined;
}
