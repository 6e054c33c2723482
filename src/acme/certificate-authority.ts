import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';

import type { Client, crypto as AcmeCrypto } from 'acme-client';

import type { AcmeConfig } from '../config/schema/acme.ts';
import type { AcmeStorage } from './storage.ts';
import type { StoredCertificate } from './stored-certificate.ts';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How long one request to the server may take, milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Asks an ACME server (RFC 8555) for certificates. Challenges are laid into the storage, where whoever carries traffic finds them. */
export class CertificateAuthority {
  readonly #config: AcmeConfig;
  readonly #storage: AcmeStorage;

  constructor(config: AcmeConfig, storage: AcmeStorage) {
    this.#config = config;
    this.#storage = storage;
  }

  /**
   * Proves that the names are ours and takes a certificate with a new key.
   * @throws Error saying what the server or the network had against it.
   */
  async issue(names: readonly string[]): Promise<StoredCertificate> {
    try {
      return await this.#order(names);
    } catch (error) {
      if (error instanceof TypeError)
        throw new Error(`the connection to ${this.#config.directory} broke`, { cause: error });
      // A server that was set up anew does not know us any more; our key makes the next account.
      if (
        !(error instanceof Error) ||
        !/account.*(not exist|not found|find)|accountDoesNotExist/i.test(error.message)
      )
        throw error;
      if (this.#storage.accountUrl(this.#config.directory) === undefined) throw error;
      this.#storage.removeAccountUrl();
      return await this.#order(names);
    }
  }

  /** The library does not say much when nobody answers. @throws Error saying why the server cannot be reached. */
  async #reach(ca: string | undefined): Promise<void> {
    const { directory } = this.#config;
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let status: number;
    try {
      ({ status } = await fetch(directory, { signal, ...(ca === undefined ? {} : { tls: { ca } }) }));
    } catch (error) {
      throw new Error(`${directory} cannot be reached: ${messageOf(error)}`, { cause: error });
    }
    if (status !== 200) throw new Error(`${directory} answers with status ${status}`);
  }

  async #order(names: readonly string[]): Promise<StoredCertificate> {
    // Loaded when the first certificate is asked for: most instances never do.
    const { crypto, axios, Client: AcmeClient } = await import('acme-client');
    // Trying again is the business of whoever asks: it knows how long it has been going on.
    axios.defaults.timeout = REQUEST_TIMEOUT_MS;
    Object.assign(axios.defaults, { acmeSettings: { retryMaxAttempts: 0 } });
    const ca = this.#config.ca === undefined ? undefined : readFileSync(this.#config.ca, 'utf8');
    axios.defaults.httpsAgent = ca === undefined ? undefined : new Agent({ ca });
    await this.#reach(ca);
    const client = await this.#client(AcmeClient, crypto);
    const makeKey =
      this.#config.keyType === 'rsa' ? crypto.createPrivateRsaKey() : crypto.createPrivateEcdsaKey('P-256');
    const [key, csr] = await crypto.createCsr({ commonName: names[0]!, altNames: [...names] }, await makeKey);
    const kind = this.#config.challenge;
    const certificate = await client.auto({
      csr,
      ...(this.#config.email === undefined ? {} : { email: this.#config.email }),
      ...(this.#config.preferredChain === undefined ? {} : { preferredChain: this.#config.preferredChain }),
      termsOfServiceAgreed: true,
      // The library would ask our own address first; only the server knows whether it sees us.
      skipChallengeVerification: true,
      challengePriority: [kind],
      challengeCreateFn: async (authorization, challenge, keyAuthorization) => {
        const name = authorization.identifier.value;
        if (challenge.type !== kind)
          throw new Error(`the server offers ${challenge.type} for ${name}, not ${kind}`);
        if (kind === 'http-01') {
          this.#storage.challenges.saveHttp(challenge.token, keyAuthorization);
          return;
        }
        const [alpnKey, alpnCertificate] = await crypto.createAlpnCertificate(
          authorization,
          keyAuthorization,
          await crypto.createPrivateEcdsaKey('P-256'),
        );
        this.#storage.challenges.saveTls(name, {
          certificate: alpnCertificate.toString(),
          key: alpnKey.toString(),
        });
      },
      challengeRemoveFn: async (authorization, challenge) => {
        if (kind === 'http-01') this.#storage.challenges.removeHttp(challenge.token);
        else this.#storage.challenges.removeTls(authorization.identifier.value);
      },
    });
    this.#storage.saveAccountUrl(this.#config.directory, client.getAccountUrl());
    return { certificate, key: key.toString() };
  }

  async #client(AcmeClient: typeof Client, crypto: typeof AcmeCrypto): Promise<Client> {
    let accountKey = this.#storage.accountKey();
    if (accountKey === undefined) {
      accountKey = (await crypto.createPrivateEcdsaKey('P-256')).toString();
      this.#storage.saveAccountKey(accountKey);
    }
    const accountUrl = this.#storage.accountUrl(this.#config.directory);
    const { externalAccount } = this.#config;
    return new AcmeClient({
      directoryUrl: this.#config.directory,
      accountKey,
      ...(accountUrl === undefined ? {} : { accountUrl }),
      ...(externalAccount === undefined ? {} : { externalAccountBinding: externalAccount }),
      backoffAttempts: 20,
      backoffMin: 500,
      backoffMax: 5000,
    });
  }
}
