import { createPrivateKey, X509Certificate } from 'node:crypto';

import { alternativeNames } from '../util/certificates.ts';
import type { Random } from '../util/random.ts';
import type { StoredCertificate } from './stored-certificate.ts';

/** Share of the lifetime after which a certificate is renewed: 60 of 90 days, 4 of 6. */
const RENEW_AFTER = 2 / 3;
/** Spread of the moment, as a share of the lifetime, so that many certificates of one day are not renewed in one hour. */
const SPREAD = 1 / 30;

/** Pauses after failed attempts in a row. Let's Encrypt allows five failed validations of a name in an hour. */
const PAUSES_MS = [1, 12, 20, 30, 60, 120, 240, 360].map((minutes) => minutes * 60_000);

/** When a certificate becomes valid and when it ends, milliseconds since 1970. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Of the first certificate of a chain. */
export function validityOf(certificatePem: string): Validity {
  const parsed = new X509Certificate(certificatePem);
  return { fromMs: Date.parse(parsed.validFrom), untilMs: Date.parse(parsed.validTo) };
}

/** Wall-clock time at which a certificate is to be renewed. */
export function renewAtMs({ fromMs, untilMs }: Validity, random: Random): number {
  const lifetimeMs = untilMs - fromMs;
  return fromMs + lifetimeMs * (RENEW_AFTER - SPREAD * random.next());
}

/**
 * How long to wait after the given number of failures in a row (1 or more), milliseconds. Up to a quarter of it is left out by chance, so
 * that machines which failed together do not come back together.
 */
export function pauseMs(failures: number, random: Random): number {
  const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length) - 1]!;
  return pause * (1 - random.next() / 4);
}

/** Whether a certificate is good for exactly these names. */
export function covers(certificatePem: string, names: readonly string[]): boolean {
  const given = alternativeNames(new X509Certificate(certificatePem));
  return given.length === names.length && names.every((name) => given.includes(name));
}

/**
 * That the key is whole and the certificate was made for it; no listener could serve them otherwise.
 * @throws Error which says what is wrong.
 */
export function checkKey({ certificate, key }: StoredCertificate): void {
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is not the one of the certificate');
}
