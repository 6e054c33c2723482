import { nameCovers } from '../../util/certificates.ts';
import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import { httpRoutes } from '../pool-references.ts';
import type { Config } from '../schema/config.ts';
import type { ListenerTlsConfig, NamedFile, PoolTlsConfig } from '../schema/tls.ts';
import { checkCertificate, type GoodCertificate, readCertificates } from './certificates.ts';
import { fill, type ReadFile } from './named-files.ts';
import { ocspProblem } from './ocsp-response.ts';
import type { Report } from './report.ts';
import { readStored } from './stored-certificates.ts';

/** Name, HMAC secret and key of AES-256. */
const TICKET_KEY_BYTES = 80;

/** Reads every file that TLS names into the draft, so that what was checked is what is used, and judges all of it. */
export function checkTls(draft: Draft<Config>, report: Report, readFile: ReadFile, nowMs: number): void {
  for (const [index, listener] of (draft.listeners ?? []).entries()) {
    if (listener?.protocol !== 'http' || listener.tls === undefined) continue;
    const at: Path = ['listeners', index, 'tls'];
    readAutomatic(listener.tls, at, draft.acme, report, readFile);
    checkHttp3(listener.tls, listener.proxyProtocol !== undefined, at, report);
    const good = checkListenerTls(listener.tls, at, report, readFile, nowMs);
    if (good === undefined) continue;
    for (const [route, { match }] of httpRoutes(listener).map((one, place) => [place, one ?? {}] as const))
      checkHosts(match?.host, good, ['listeners', index, 'routes', route, 'match', 'host'], report);
  }
  for (const [index, pool] of (draft.pools ?? []).entries()) {
    if (pool?.tls !== undefined) checkPoolTls(pool.tls, ['pools', index, 'tls'], report, readFile, nowMs);
    const ca = pool?.healthCheck?.tls?.ca;
    const at: Path = ['pools', index, 'healthCheck', 'tls', 'ca'];
    if (fill(ca, at, report, readFile)) readCertificates(ca, at, report);
  }
}

/** What the storage holds is taken over; what it does not hold yet will come. */
function readAutomatic(
  tls: Draft<ListenerTlsConfig>,
  at: Path,
  acme: Draft<Config['acme']>,
  report: Report,
  readFile: ReadFile,
): void {
  for (const [index, one] of (tls.acme ?? []).entries()) {
    if (one?.names?.[0] === undefined) continue;
    const place = [...at, 'acme', index];
    if (acme === undefined) {
      const message = 'certificates are asked for by the top-level acme, and there is none';
      report.error({ code: 'reference', at: place, message, hint: 'acme: { email: you@example.com }' });
    } else if (acme.storage !== undefined) {
      const stored = readStored(acme.storage, one.names[0], (path) => {
        const file = readFile(path);
        return file.ok ? file.content : undefined;
      });
      // As every file that the configuration names: what was read now is what is used.
      if (stored !== undefined) Object.assign(one, stored);
    }
  }
}

/** Returns the names of each certificate when all of them will do. */
function checkListenerTls(
  tls: Draft<ListenerTlsConfig>,
  at: Path,
  report: Report,
  readFile: ReadFile,
  nowMs: number,
): readonly (readonly string[])[] | undefined {
  const certificates = tls.certificates ?? [];
  const good: GoodCertificate[] = [];
  for (const [index, one] of certificates.entries()) {
    const place = [...at, 'certificates', index];
    if (one === undefined) continue;
    if (fill(one.ocspResponse, [...place, 'ocspResponse'], report, readFile))
      checkOcspResponse(one.ocspResponse, [...place, 'ocspResponse'], report);
    const found = checkCertificate(one, place, report, readFile, nowMs);
    if (found === undefined) continue;
    checkTwice(found, good, place, report);
    good.push(found);
  }
  const automatic = (tls.acme ?? []).flatMap((one) => one?.names ?? []).filter((name) => name !== undefined);
  if (tls.certificates?.length === 0 && tls.acme?.length === 0)
    report.error({ code: 'conflict', at, message: 'TLS needs certificates, or names under acme' });
  checkVersions(tls, at, report);
  checkClients(tls, at, report, readFile);
  const tickets = tls.sessionTickets;
  if (
    tickets !== undefined &&
    tickets !== false &&
    fill(tickets.keyFile, [...at, 'sessionTickets', 'keyFile'], report, readFile)
  )
    checkTicketKeys(tickets.keyFile, [...at, 'sessionTickets', 'keyFile'], report);
  if (good.length < certificates.length) return undefined;
  const standard = tls.defaultCertificate?.toLowerCase();
  if (
    standard !== undefined &&
    !automatic.includes(standard) &&
    !good.some(({ names }) => names.some((name) => name === standard || nameCovers(name, standard)))
  ) {
    const message = `there is no certificate for ${standard}`;
    report.error({ code: 'reference', at: [...at, 'defaultCertificate'], message });
  }
  return [...good.map(({ names }) => names), automatic];
}

/** Of two certificates for one name with keys of the same kind, the second is never shown. */
function checkTwice(
  one: GoodCertificate,
  others: readonly GoodCertificate[],
  at: Path,
  report: Report,
): void {
  const kind = one.leaf.publicKey.asymmetricKeyType;
  const alike = others.filter((other) => other.leaf.publicKey.asymmetricKeyType === kind);
  const twice = one.names.filter((name) => alike.some(({ names }) => names.includes(name)));
  if (one.names.length === 0 || twice.length < one.names.length) return;
  const message = `an earlier certificate is used for ${twice.join(', ')}, so this one is never shown`;
  report.warning({ code: 'ineffective', at, message });
}

/** What the runtime's QUIC cannot do is refused rather than left out. */
function checkHttp3(
  { alpn, clientCertificate, maxVersion }: Draft<ListenerTlsConfig>,
  introduced: boolean,
  at: Path,
  report: Report,
): void {
  if (alpn?.includes('h3') !== true) return;
  const refuse = (message: string): void =>
    report.error({ code: 'conflict', at: [...at, 'alpn', alpn.indexOf('h3')], message });
  if (clientCertificate !== undefined) refuse('h3 cannot ask clients for a certificate');
  if (introduced) refuse('QUIC carries no PROXY header; leave h3 out, or proxyProtocol');
  if (maxVersion === '1.2') refuse('h3 needs TLS 1.3');
  if (alpn.length === 1) refuse('h3 alone reaches few clients; name h2 or http/1.1 as well');
}

function checkVersions(
  { minVersion, maxVersion }: Draft<Pick<PoolTlsConfig, 'minVersion' | 'maxVersion'>>,
  at: Path,
  report: Report,
): void {
  if (minVersion !== '1.3' || maxVersion !== '1.2') return;
  const message = 'minVersion is newer than maxVersion, so no version is left';
  report.error({ code: 'conflict', at: [...at, 'maxVersion'], message });
}

function checkClients(
  { clientCertificate }: Draft<ListenerTlsConfig>,
  at: Path,
  report: Report,
  readFile: ReadFile,
): void {
  if (clientCertificate === undefined) return;
  const place = [...at, 'clientCertificate'];
  const { ca, crl } = clientCertificate;
  if (fill(ca, [...place, 'ca'], report, readFile)) readCertificates(ca, [...place, 'ca'], report);
  if (!fill(crl, [...place, 'crl'], report, readFile) || crl.content.includes('-----BEGIN X509 CRL-----'))
    return;
  const message = `there is no revocation list in ${JSON.stringify(crl.path)}`;
  report.error({
    code: 'value',
    at: [...place, 'crl'],
    message,
    hint: 'PEM begins with -----BEGIN X509 CRL-----',
  });
}

function checkOcspResponse(file: NamedFile, at: Path, report: Report): void {
  const problem = ocspProblem(Buffer.from(file.content, 'latin1'));
  if (problem === undefined) return;
  const hint = 'openssl ocsp -respout FILE writes one';
  report.error({ code: 'value', at, message: `${JSON.stringify(file.path)} ${problem}`, hint });
}

function checkTicketKeys(file: NamedFile, at: Path, report: Report): void {
  const { length } = file.content;
  if (length > 0 && length % TICKET_KEY_BYTES === 0) return;
  const message = `${JSON.stringify(file.path)} has ${length} bytes, which are not keys of ${TICKET_KEY_BYTES} bytes`;
  report.error({
    code: 'value',
    at,
    message,
    hint: `write one with: openssl rand -out FILE ${TICKET_KEY_BYTES}`,
  });
}

/** A host that a route waits for, and no certificate is for: browsers will not come that far. */
function checkHosts(host: unknown, good: readonly (readonly string[])[], at: Path, report: Report): void {
  const hosts = (Array.isArray(host) ? host : [host]).filter((one): one is string => typeof one === 'string');
  for (const one of hosts) {
    const name = one.toLowerCase();
    if (/^[\d.]+$|^\[/.test(name)) continue;
    const covered = good.some((names) => names.some((own) => own === name || nameCovers(own, name)));
    if (covered) continue;
    report.warning({ code: 'risky', at, message: `no certificate of this listener is for ${one}` });
  }
}

function checkPoolTls(
  tls: Draft<PoolTlsConfig>,
  at: Path,
  report: Report,
  readFile: ReadFile,
  nowMs: number,
): void {
  if (fill(tls.ca, [...at, 'ca'], report, readFile)) readCertificates(tls.ca, [...at, 'ca'], report);
  if (tls.clientCertificate !== undefined)
    checkCertificate(tls.clientCertificate, [...at, 'clientCertificate'], report, readFile, nowMs);
  checkVersions(tls, at, report);
  if (tls.verify !== false) return;
  const message = 'verify is off: anybody on the way to the endpoint can read and change everything';
  report.warning({ code: 'risky', at: [...at, 'verify'], message });
}
