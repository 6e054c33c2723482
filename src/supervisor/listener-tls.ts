import { createHash } from 'node:crypto';

import type { ListenerTlsConfig, NamedFile } from '../config/schema/tls.ts';
import type { ListenerTls } from '../l7/tls-client.ts';
import type { CertificateText } from '../net/tls/context.ts';
import { ServerTls } from '../net/tls/server-tls.ts';
import type { ServerCertificate } from '../net/tls/server-tls-settings.ts';
import type { ChallengeSource } from '../model/ports.ts';
import type { TicketKeys } from '../net/tls/ticket-keys.ts';

/** A certificate of our own as a configuration names it. */
interface CertificateFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  readonly passphraseFile?: NamedFile | undefined;
}

/** What the files of a certificate of our own held. The passphrase is without the line break that editors put behind it. */
export function certificateText({ cert, key, passphraseFile }: CertificateFiles): CertificateText {
  return {
    file: cert.path,
    cert: cert.content,
    key: key.content,
    passphrase: passphraseFile?.content.replace(/\r?\n$/, '') ?? '',
  };
}

function serverCertificate(
  files: CertificateFiles,
  names: readonly string[] | undefined,
  staple: NamedFile | undefined,
): ServerCertificate {
  return {
    ...certificateText(files),
    names: names?.map((name) => name.toLowerCase()),
    staple: staple === undefined ? undefined : Buffer.from(staple.content, 'latin1'),
  };
}

/** Those that are there already; until the others come, nobody can be served in their names. */
function automatic({ acme }: ListenerTlsConfig): ServerCertificate[] {
  return acme
    .filter(({ cert }) => cert.content !== '')
    .map((one) => serverCertificate(one, one.names, undefined));
}

/**
 * The TLS of a listener.
 * @param challenges What an ACME server may ask for.
 * @throws Error naming the listener, when a certificate or a setting cannot be used.
 */
export function createListenerTls(
  name: string,
  tls: ListenerTlsConfig,
  ticketKeys: TicketKeys,
  challenges: ChallengeSource | undefined,
): ListenerTls {
  const { clientCertificate, sessionTickets } = tls;
  try {
    const server = new ServerTls({
      name: createHash('sha256').update(name).digest('hex'),
      certificates: [
        ...tls.certificates.map((one) => serverCertificate(one, one.names, one.ocspResponse)),
        ...automatic(tls),
      ],
      challenges: tls.acme.length === 0 ? undefined : challenges,
      defaultName: tls.defaultCertificate?.toLowerCase(),
      strict: tls.strictSni,
      alpn: tls.alpn.filter((protocol) => protocol !== 'h3'),
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion,
      ciphers: tls.ciphers.join(':'),
      cipherSuites: tls.cipherSuites.join(':'),
      curves: tls.curves.join(':'),
      clientCertificate:
        clientCertificate === undefined
          ? undefined
          : {
              mode: clientCertificate.mode,
              ca: clientCertificate.ca.content,
              depth: clientCertificate.depth,
              crl: clientCertificate.crl?.content,
            },
      sessionLifetimeMs: sessionTickets === false ? 0 : sessionTickets.lifetime,
      ticketKeys: sessionTickets === false ? undefined : ticketKeys,
    });
    return { server, handshakeTimeoutMs: tls.handshakeTimeout };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`listener ${name}: TLS: ${reason}`, { cause: error });
  }
}
