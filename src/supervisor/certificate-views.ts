import type { ListenerConfig } from '../config/schema/listener.ts';
import type { ListenerTlsConfig } from '../config/schema/tls.ts';
import type { CertificateView } from '../model/certificate-view.ts';
import { certificateNames, certificatesOf } from '../util/certificates.ts';

const known = new WeakMap<ListenerTlsConfig, readonly CertificateView[]>();

/** The certificates of a listener, in the order of its configuration; none when it does not speak TLS. */
export function certificateViews(config: ListenerConfig): readonly CertificateView[] {
  if (config.protocol !== 'http' || config.tls === undefined) return [];
  let views = known.get(config.tls);
  if (views === undefined) {
    const { certificates, acme } = config.tls;
    views = [...certificates, ...acme].flatMap(({ cert, names }) => {
      const [leaf] = certificatesOf(cert.content);
      if (leaf === undefined) return [];
      const { publicKey, serialNumber, validToDate } = leaf;
      return {
        names: names ?? certificateNames(leaf),
        kind: publicKey.asymmetricKeyType ?? '',
        serial: serialNumber,
        notAfterMs: validToDate.getTime(),
      };
    });
    known.set(config.tls, views);
  }
  return views;
}
