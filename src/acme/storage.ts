import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { storedFiles } from '../config/stored-files.ts';
import type { ChallengeSource } from '../model/ports.ts';

/** A certificate and its key, as they lie in the storage. */
export interface StoredCertificate {
  /** The chain, PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

/** Tokens of RFC 8555 section 8.3: base64url, so no path can be made of one. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;
/** Names in lower case with at least one letter or digit a label: no path can be made of one. */
const NAME = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/** An order takes seconds, minutes at most: what is older than this belongs to nobody any more, milliseconds. */
const ABANDONED_MS = 15 * 60_000;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether a process of this machine lives. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

function isOlderThan(path: string, thenMs: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.mtimeMs < thenMs;
}

/**
 * What certificates from an ACME server need to keep on disk, under one directory that only its owner can read:
 *
 * ```
 * account.key, account.json            who we are to the server
 * certificates/NAME/certificate.pem    what listeners serve; NAME is the first name of the certificate
 * certificates/NAME/key.pem
 * challenges/http-01/TOKEN             answers under way; every process that carries traffic reads them
 * challenges/tls-alpn-01/NAME.pem
 * ```
 *
 * Every file is replaced by renaming a whole new one over it, so a reader never sees half of one, and several processes or
 * machines may share the directory.
 */
export class AcmeStorage implements ChallengeSource {
  readonly directory: string;
  /** Tells us from a process that had our number before a restart. */
  readonly #self = randomBytes(6).toString('hex');

  /** @param directory Absolute. Made by `prepare`. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Makes the directories and shows that they can be written.
   * @throws Error of the file system.
   */
  prepare(): void {
    for (const parts of [[], ['certificates'], ['challenges', 'http-01'], ['challenges', 'tls-alpn-01']])
      mkdirSync(join(this.directory, ...parts), { recursive: true, mode: 0o700 });
    chmodSync(this.directory, 0o700);
    const probe = join(this.directory, `.probe-${randomBytes(6).toString('hex')}`);
    writeFileSync(probe, '');
    rmSync(probe);
  }

  /** @throws Error of the file system. */
  #write(file: string, content: string | Uint8Array): void {
    const fresh = `${file}.${randomBytes(6).toString('hex')}.new`;
    try {
      writeFileSync(fresh, content, { mode: 0o600, flush: true });
      renameSync(fresh, file);
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    }
  }

  accountKey(): string | undefined {
    return readIfThere(join(this.directory, 'account.key'));
  }

  /** The key, then where the account is: one without the other is looked up again by the server. */
  saveAccountKey(key: string): void {
    this.#write(join(this.directory, 'account.key'), key);
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
    this.#write(
      join(this.directory, 'account.json'),
      `${JSON.stringify({ [directoryUrl]: url }, null, 2)}\n`,
    );
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
    const directory = join(this.directory, 'certificates', name);
    const suffix = randomBytes(6).toString('hex');
    const fresh = `${directory}.${suffix}.new`;
    const former = `${directory}.${suffix}.old`;
    mkdirSync(fresh, { mode: 0o700 });
    try {
      this.#write(join(fresh, 'key.pem'), key);
      this.#write(join(fresh, 'certificate.pem'), certificate);
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

  saveHttpChallenge(token: string, keyAuthorization: string): void {
    this.#write(this.#httpChallengeFile(token), keyAuthorization);
  }

  removeHttpChallenge(token: string): void {
    rmSync(this.#httpChallengeFile(token), { force: true });
  }

  #httpChallengeFile(token: string): string {
    if (!TOKEN.test(token)) throw new RangeError(`${JSON.stringify(token)} is not a token`);
    return join(this.directory, 'challenges', 'http-01', token);
  }

  keyAuthorization(token: string): string | undefined {
    return TOKEN.test(token) ? readIfThere(this.#httpChallengeFile(token)) : undefined;
  }

  /** Key and certificate in one file, so that they change together. */
  saveTlsChallenge(name: string, { certificate, key }: StoredCertificate): void {
    this.#write(this.#tlsChallengeFile(name), `${key.trimEnd()}\n${certificate}`);
  }

  removeTlsChallenge(name: string): void {
    rmSync(this.#tlsChallengeFile(name), { force: true });
  }

  #tlsChallengeFile(name: string): string {
    if (!NAME.test(name)) throw new RangeError(`${JSON.stringify(name)} is not a name`);
    return join(this.directory, 'challenges', 'tls-alpn-01', `${name}.pem`);
  }

  challengeCertificate(name: string): string | undefined {
    return NAME.test(name) ? readIfThere(this.#tlsChallengeFile(name)) : undefined;
  }

  /** Forgets the account, as when the server says that there is none. */
  removeAccountUrl(): void {
    rmSync(join(this.directory, 'account.json'), { force: true });
  }

  /**
   * Takes the right to order this certificate, among all processes and machines that share the directory; false when another has it.
   * Who dies with it loses it: at once on the same machine, otherwise after a while.
   * @throws Error of the file system.
   */
  lock(name: string, nowMs: number): boolean {
    const file = this.#lockFile(name);
    if (isOlderThan(file, nowMs - ABANDONED_MS) || this.#isOrphan(file)) rmSync(file, { force: true });
    let lock: number;
    try {
      lock = openSync(file, 'wx', 0o600);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    try {
      writeFileSync(lock, `${hostname()} ${process.pid} ${this.#self}\n`);
      return true;
    } catch (error) {
      // On a full disk there would be a lock of nobody now.
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(lock);
    }
  }

  /** Its owner was a process of this machine that is gone. */
  #isOrphan(file: string): boolean {
    const [host, number, self] = readIfThere(file)?.trim().split(' ') ?? [];
    if (host !== hostname() || self === undefined) return false;
    const pid = Number(number);
    return pid === process.pid ? self !== this.#self : !lives(pid);
  }

  unlock(name: string): void {
    rmSync(this.#lockFile(name), { force: true });
  }

  #lockFile(name: string): string {
    return join(this.directory, 'certificates', `${name}.lock`);
  }

  /** What a process that died in between left behind long ago; others may be at work beside us. */
  removeLeftovers(nowMs: number): void {
    const places = [
      { directory: join(this.directory, 'challenges', 'http-01'), left: /./ },
      { directory: join(this.directory, 'challenges', 'tls-alpn-01'), left: /./ },
      { directory: join(this.directory, 'certificates'), left: /\.[0-9a-f]{12}\.(new|old)$/ },
    ];
    for (const { directory, left } of places) {
      for (const entry of readdirSync(directory)) {
        const path = join(directory, entry);
        if (left.test(entry) && isOlderThan(path, nowMs - ABANDONED_MS))
          rmSync(path, { recursive: true, force: true });
      }
    }
  }
}
