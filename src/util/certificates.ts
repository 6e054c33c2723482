import { X509Certificate } from 'node:crypto';

const BLOCK =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** The certificates of a PEM text, in their order. @throws Error when one of them is not one. */
export function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
}

/** The hosts among the subject alternative names of a certificate, lower case. */
export function alternativeNames({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? '')
    .split(', ')
    .filter((one) => one.startsWith('DNS:'))
    .map((one) => one.slice('DNS:'.length).toLowerCase());
}

/** The names that a certificate is for, lower case: its subject alternative names, or without any its common name. */
export function certificateNames(certificate: X509Certificate): string[] {
  if ((certificate.subjectAltName ?? '') !== '') return alternativeNames(certificate);
  const common = /(?:^|\n)CN=([^\n]+)/.exec(certificate.subject)?.[1]?.toLowerCase();
  return common === undefined ? [] : [common];
}

/** Whether a name of a certificate, `example.com` or `*.example.com`, stands for `host` (RFC 6125 section 6.4.3). */
export function nameCovers(name: string, host: string): boolean {
  if (name === host) return true;
  if (!name.startsWith('*.')) return false;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot + 1) === name.slice(2);
}
