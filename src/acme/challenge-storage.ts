import { rmSync } from 'node:fs';
import { join } from 'node:path';

import type { ChallengeSource } from '../model/ports.ts';
import { readIfThere, writeWhole } from './shared-files.ts';
import type { StoredCertificate } from './stored-certificate.ts';

/** Tokens of RFC 8555 section 8.3: base64url, so no path can be made of one. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;
/** Names in lower case with at least one letter or digit a label: no path can be made of one. */
const NAME = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/** Answers to the challenges under way: written by who orders, read by every process that carries traffic. */
export class ChallengeStorage implements ChallengeSource {
  /** Of answers by HTTP, a file each. */
  readonly httpDirectory: string;
  /** Of answers in the handshake, a file each. */
  readonly tlsDirectory: string;

  /** @param directory Of `AcmeStorage`, which makes it. */
  constructor(directory: string) {
    this.httpDirectory = join(directory, 'challenges', 'http-01');
    this.tlsDirectory = join(directory, 'challenges', 'tls-alpn-01');
  }

  saveHttp(token: string, keyAuthorization: string): void {
    writeWhole(this.#httpFile(token), keyAuthorization);
  }

  removeHttp(token: string): void {
    rmSync(this.#httpFile(token), { force: true });
  }

  #httpFile(token: string): string {
    if (!TOKEN.test(token)) throw new RangeError(`${JSON.stringify(token)} is not a token`);
    return join(this.httpDirectory, token);
  }

  keyAuthorization(token: string): string | undefined {
    return TOKEN.test(token) ? readIfThere(this.#httpFile(token)) : undefined;
  }

  /** Key and certificate in one file, so that they change together. */
  saveTls(name: string, { certificate, key }: StoredCertificate): void {
    writeWhole(this.#tlsFile(name), `${key.trimEnd()}\n${certificate}`);
  }

  removeTls(name: string): void {
    rmSync(this.#tlsFile(name), { force: true });
  }

  #tlsFile(name: string): string {
    if (!NAME.test(name)) throw new RangeError(`${JSON.stringify(name)} is not a name`);
    return join(this.tlsDirectory, `${name}.pem`);
  }

  challengeCertificate(name: string): string | undefined {
    return NAME.test(name) ? readIfThere(this.#tlsFile(name)) : undefined;
  }
}
