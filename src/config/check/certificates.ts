import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';

import { certificateNames, certificatesOf, nameCovers } from '../../util/certificates.ts';
import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import type { NamedFile } from '../schema/tls.ts';
import { fill, type ReadFile } from './named-files.ts';
import type { Report } from './report.ts';
import { noCertificate, noPrivateKey } from './wrong-file.ts';

/** A certificate that will do, as far as it can be told here. */
export interface GoodCertificate {
  readonly leaf: X509Certificate;
  /** Names that it is used for. */
  readonly names: readonly string[];
}

/** A certificate of our own as a configuration writes it. */
interface CertificateKeys {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  readonly passphraseFile?: NamedFile | undefined;
  readonly names?: readonly string[] | undefined;
}

/** Before it expires, operators are told this long, milliseconds. */
const SOON_MS = 14 * 86_400_000;

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Reads a certificate and its key, and judges the two. Undefined when one of them will not do, and `report` says why. */
export function checkCertificate(
  one: Draft<CertificateKeys>,
  at: Path,
  report: Report,
  readFile: ReadFile,
  nowMs: number,
): GoodCertificate | undefined {
  const { cert, key, passphraseFile } = one;
  const hasCert = fill(cert, [...at, 'cert'], report, readFile);
  const hasKey = fill(key, [...at, 'key'], report, readFile);
  const hasPassphrase =
    passphraseFile === undefined || fill(passphraseFile, [...at, 'passphraseFile'], report, readFile);
  const chain = hasCert ? readCertificates(cert, [...at, 'cert'], report) : undefined;
  const leaf =
    hasCert && chain !== undefined ? checkChain(cert, chain, [...at, 'cert'], report, nowMs) : undefined;
  if (!hasKey || !hasPassphrase) return undefined;
  const passphrase = passphraseFile?.content?.replace(/\r?\n$/, '');
  const privateKey = readKey(key, passphrase, [...at, 'key'], report);
  if (!hasCert || chain === undefined || leaf === undefined || privateKey === undefined) return undefined;
  if (!belongsTogether(cert, chain, key, privateKey, at, report)) return undefined;
  const written = one.names?.map((name) => name?.toLowerCase()).filter((name) => name !== undefined);
  const own = certificateNames(leaf);
  for (const [index, name] of (written ?? []).entries()) {
    if (own.some((covered) => nameCovers(covered, name))) continue;
    const message = `the certificate is not for ${name}, so clients will not accept it there; it is for ${own.join(', ')}`;
    report.warning({ code: 'risky', at: [...at, 'names', index], message });
  }
  return { leaf, names: written ?? own };
}

/** Whether the key is that of the first certificate; when not, says whose it is. */
function belongsTogether(
  cert: NamedFile,
  chain: readonly X509Certificate[],
  key: NamedFile,
  privateKey: KeyObject,
  at: Path,
  report: Report,
): boolean {
  const owner = chain.findIndex((one) => one.checkPrivateKey(privateKey));
  if (owner === 0) return true;
  const [ours, theirs] = [JSON.stringify(key.path), JSON.stringify(cert.path)];
  if (owner > 0) {
    const message = `${ours} is the key of certificate ${owner + 1} in ${theirs}, not of the first`;
    const hint = 'put the certificate of the server first, then those that lead to its CA';
    report.error({ code: 'conflict', at: [...at, 'cert'], message, hint });
  } else {
    const message = `${ours} is not the key of the certificate in ${theirs}`;
    const names = certificateNames(chain[0]!).join(', ');
    const hint =
      names === ''
        ? 'name the one that it was made with'
        : `name the one that the certificate for ${names} was made with`;
    report.error({ code: 'conflict', at: [...at, 'key'], message, hint });
  }
  return false;
}

/** The first certificate of a file is for us, and each is signed by the next. Undefined when the first will not do. */
function checkChain(
  cert: NamedFile,
  chain: readonly X509Certificate[],
  at: Path,
  report: Report,
  nowMs: number,
): X509Certificate | undefined {
  const leaf = chain[0]!;
  const name = JSON.stringify(cert.path);
  const until = leaf.validToDate;
  if (until.getTime() <= nowMs) {
    const message = `the certificate in ${name} expired on ${day(until)}`;
    report.error({ code: 'value', at, message, hint: 'replace the file by a renewed one' });
    return undefined;
  }
  if (leaf.validFromDate.getTime() > nowMs) {
    const message = `the certificate in ${name} is not valid before ${day(leaf.validFromDate)}`;
    report.warning({ code: 'risky', at, message });
  } else if (until.getTime() <= nowMs + SOON_MS) {
    const message = `the certificate in ${name} expires on ${day(until)}`;
    report.warning({ code: 'risky', at, message, hint: 'renew it' });
  }
  for (const [index, { validToDate }] of chain.entries()) {
    if (index === 0 || validToDate.getTime() > nowMs) continue;
    const message = `in ${name}, certificate ${index + 1} expired on ${day(validToDate)}, so clients may refuse the way to the CA`;
    report.warning({ code: 'risky', at, message });
  }
  for (const [index, one] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer === undefined || one.checkIssued(issuer)) continue;
    const message = `in ${name}, certificate ${index + 2} has not signed certificate ${index + 1}, so clients may not find the way to the CA`;
    report.warning({ code: 'risky', at, message });
    break;
  }
  return leaf;
}

/** The certificates that a file holds, at least one. */
export function readCertificates(file: NamedFile, at: Path, report: Report): X509Certificate[] | undefined {
  const name = JSON.stringify(file.path);
  try {
    const found = certificatesOf(file.content);
    if (found.length > 0) return found;
    report.error({ code: 'value', at, ...noCertificate(file.content, name) });
  } catch {
    const hint = 'copy the file again, as bytes';
    report.error({ code: 'value', at, message: `a certificate in ${name} is damaged`, hint });
  }
  return undefined;
}

function readKey(
  key: NamedFile,
  passphrase: string | undefined,
  at: Path,
  report: Report,
): KeyObject | undefined {
  const name = JSON.stringify(key.path);
  const refuse = (message: string, hint: string): undefined => {
    report.error({ code: 'value', at, message, hint });
  };
  if (!key.content.includes('PRIVATE KEY-----')) {
    const { message, hint } = noPrivateKey(key.content, name);
    return refuse(message, hint);
  }
  if (key.content.includes('-----BEGIN OPENSSH PRIVATE KEY-----'))
    return refuse(
      `the private key in ${name} is one of OpenSSH`,
      'write PEM with: ssh-keygen -p -m PKCS8 -f FILE',
    );
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(key.content);
  if (encrypted && passphrase === undefined)
    return refuse(
      `the private key in ${name} has a passphrase`,
      'name a file that holds it as passphraseFile',
    );
  try {
    return createPrivateKey({
      key: key.content,
      format: 'pem',
      ...(encrypted ? { passphrase: passphrase! } : {}),
    });
  } catch {
    return encrypted
      ? refuse(`the passphrase does not open the private key in ${name}`, 'see what is in passphraseFile')
      : refuse(`the private key in ${name} is damaged`, 'copy the file again, as bytes');
  }
}
