import { X509Certificate } from 'node:crypto';

/** Why a file does not hold what is wanted, and what to do about it. */
export interface WrongFile {
  readonly message: string;
  readonly hint: string;
}

/** A SEQUENCE with a long length, as certificates in DER begin; keys may be short and begin with a number (X.690 section 8). */
const DER = /^\x30(?:[\x81-\x84]|[^]\x02\x01)/;
/** A PFX begins with its version, 3 (RFC 7292 section 4). */
const PKCS12 = /^\x30[\x81-\x84][^]{0,4}?\x02\x01\x03\x30/;

/** Says what a file holds that was to hold a certificate in PEM and does not. `name` is the file as it is shown. */
export function noCertificate(content: string, name: string): WrongFile {
  const other = otherThanPem(content, name);
  if (other !== undefined) return other;
  const message = `there is no certificate in ${name}`;
  if (content.includes('PRIVATE KEY-----'))
    return { message, hint: 'it holds a private key, which belongs under key' };
  if (/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(content))
    return { message, hint: 'it holds a request (CSR), out of which a CA makes the certificate' };
  if (content.includes('PUBLIC KEY-----'))
    return { message, hint: 'it holds a public key, which is only a part of a certificate' };
  if (content.includes('-----BEGIN CERTIFICATE-----'))
    return {
      message: `the certificate in ${name} is cut short`,
      hint: 'PEM ends with -----END CERTIFICATE-----',
    };
  return { message, hint: 'PEM begins with -----BEGIN CERTIFICATE-----' };
}

/** The same for a file that was to hold a private key. */
export function noPrivateKey(content: string, name: string): WrongFile {
  const other = otherThanPem(content, name);
  if (other !== undefined) return other;
  const message = `there is no private key in ${name}`;
  if (content.includes('-----BEGIN CERTIFICATE-----'))
    return { message, hint: 'it holds a certificate, which belongs under cert' };
  if (content.includes('PUBLIC KEY-----'))
    return { message, hint: 'it holds the public key; the private one was made together with it' };
  return { message, hint: 'PEM begins with -----BEGIN PRIVATE KEY-----' };
}

/** Empty files, and binary ones. */
function otherThanPem(content: string, name: string): WrongFile | undefined {
  if (content.trim() === '') return { message: `${name} is empty`, hint: 'it must hold PEM' };
  if (!DER.test(content)) return undefined;
  if (PKCS12.test(content)) {
    const hint =
      'write PEM with: openssl pkcs12 -in FILE -nodes -out FILE.pem (it can be cert and key at once)';
    return { message: `${name} is PKCS #12, not PEM`, hint };
  }
  const kind = isCertificate(content) ? 'x509' : 'pkey';
  return {
    message: `${name} is DER, not PEM`,
    hint: `write PEM with: openssl ${kind} -in FILE -out FILE.pem`,
  };
}

function isCertificate(der: string): boolean {
  try {
    return new X509Certificate(Buffer.from(der, 'latin1')).raw.length > 0;
  } catch {
    return false;
  }
}
