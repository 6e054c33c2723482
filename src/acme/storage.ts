import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { storedFiles } from '../config/stored-files.ts';
import { ChallengeStorage } from './challenge-storage.ts';
import { OrderLocks } from './order-locks.ts';
import { codeOf, isAbandoned, readIfThere, uniqueSuffix, writeWhole } from './shared-files.ts';
import type { StoredCertificate } from './stored-certificate.ts';

/**
 * What certificates from an ACME server need to keep on disk, under one directory that only its owner can read:
 *
 * ```
 * account.key, account.json            who we are to the server
 * certificates/NAME/certificate.pem    what listeners serve; NAME is the first name of the certificate
 * certificates/NAME/key.pem
 * certificates/NAME.lock               somebody orders it
 * challenges/http-01/TOKEN             answers under way; every process that carries traffic reads them
 * challenges/tls-alpn-01/NAME.pem
 * ```
 */
export class AcmeStorage {
  readonly directory: string;
  readonly challenges: ChallengeStorage;
  readonly locks: OrderLocks;
  readonly #certificates: string;

  /** @param directory Absolute. Made by `prepare`. */
  constructor(directory: string) {
    this.directory = directory;
    this.#certificates = join(directory, 'certificates');
    this.challenges = new ChallengeStorage(directory);
    this.locks = new OrderLocks(this.#certificates);
  }

  /**
   * Makes the directories and shows that they can be written.
   * @throws Error of the file system.
   */
  prepare(): void {
    const { httpDirectory, tlsDirectory } = this.challenges;
    for (const path of [this.directory, this.#certificates, httpDirectory, tlsDirectory])
      mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(this.directory, 0o700);
    const probe = join(this.directory, `.probe-${uniqueSuffix()}`);
    writeFileSync(probe, '');
    rmSync(probe);
  }

  accountKey(): string | undefined {
    return readIfThere(join(this.directory, 'account.key'));
  }

  /** The key, then where the account is: one without the other is looked up again by the server. */
  saveAccountKey(key: string): void {
    writeWhole(join(this.directory, 'account.key'), key);
  }

  /** Address of the account at this server; undefined when it is not known there. */
  accountUrl(directoryUrl: string): string | undefined {
    const text = readIfThere(join(this.directory, 'account.json'));
    if (text === undefined) return undefined;
    try {
      const known: unknown = JSON.parse(text);
      if (typeof known !== 'object' || known === null || !Object.hasOwn(known, directoryUrl))
        return undefined;
      const url = (known as Record<string, unknown>)[directoryUrl];
      return typeof url === 'string' ? url : undefined;
    } catch {
      return undefined;
    }
  }

  /** One server at a time is remembered; the others know us by our key. */
  saveAccountUrl(directoryUrl: string, url: string): void {
    writeWhole(join(this.directory, 'account.json'), `${JSON.stringify({ [directoryUrl]: url }, null, 2)}\n`);
  }

  /** Forgets the account, as when the server says that there is none. */
  removeAccountUrl(): void {
    rmSync(join(this.directory, 'account.json'), { force: true });
  }

  certificate(name: string): StoredCertificate | undefined {
    const files = storedFiles(this.directory, name);
    const certificate = readIfThere(files.cert);
    const key = readIfThere(files.key);
    return certificate === undefined || key === undefined ? undefined : { certificate, key };
  }

  /**
   * Key and certificate change together: both are written into a new directory, which takes the place of the old one. Between the two
   * renames there is no certificate for an instant; readers keep what they have then.
   */
  saveCertificate(name: string, { certificate, key }: StoredCertificate): void {
    const directory = join(this.#certificates, name);
    const suffix = uniqueSuffix();
    const fresh = `${directory}.${suffix}.new`;
    const former = `${directory}.${suffix}.old`;
    mkdirSync(fresh, { mode: 0o700 });
    try {
      writeWhole(join(fresh, 'key.pem'), key);
      writeWhole(join(fresh, 'certificate.pem'), certificate);
      try {
        renameSync(directory, former);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      renameSync(fresh, directory);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
      rmSync(former, { recursive: true, force: true });
    }
  }

  /** What a process that died in between left behind long ago; others may be at work beside us. */
  removeLeftovers(nowMs: number): void {
    const { httpDirectory, tlsDirectory } = this.challenges;
    const places = [
      { directory: httpDirectory, left: /./ },
      { directory: tlsDirectory, left: /./ },
      { directory: this.#certificates, left: /\.[0-9a-f]{12}\.(new|old)$/ },
    ];
    for (const { directory, left } of places) {
      for (const entry of readdirSync(directory)) {
        const path = join(directory, entry);
        if (left.test(entry) && isAbandoned(path, nowMs)) rmSync(path, { recursive: true, force: true });
      }
    }
  }
}
