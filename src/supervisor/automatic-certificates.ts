import { readFileSync } from 'node:fs';

import { CertificateAuthority } from '../acme/certificate-authority.ts';
import { CertificateKeeper } from '../acme/certificate-keeper.ts';
import { AcmeStorage } from '../acme/storage.ts';
import { readStored } from '../config/check/stored-certificates.ts';
import type { AcmeConfig } from '../config/schema/acme.ts';
import type { Config } from '../config/schema/config.ts';
import { isHttp } from '../config/schema/listener.ts';
import type { AutomaticCertificateView } from '../model/certificate-view.ts';
import type { Log } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';

/** What certificates are kept with. */
export interface AutomaticCertificatesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** There are new certificates in the storage: `withStoredCertificates` takes them. */
  readonly renewed: () => void;
}

/** The names of each certificate that listeners want from an ACME server, each certificate once. */
function wantedBy({ listeners }: Config): (readonly string[])[] {
  const wanted = new Map<string, readonly string[]>();
  for (const { tls } of listeners.filter(isHttp))
    for (const { names } of tls?.acme ?? []) wanted.set(names.join(' '), names);
  return [...wanted.values()];
}

/** `config` with the certificates that the storage has now; the same object when there is nothing new. */
export function withStoredCertificates(config: Config): Config {
  const { acme } = config;
  if (acme === undefined) return config;
  let changed = false;
  const listeners = config.listeners.map((listener) => {
    if (!isHttp(listener) || listener.tls === undefined) return listener;
    const fresh = listener.tls.acme.map((one) => {
      const stored = readStored(acme.storage, one.names[0]!, readText);
      if (stored === undefined || stored.cert.content === one.cert.content) return one;
      changed = true;
      return { ...one, ...stored };
    });
    return { ...listener, tls: { ...listener.tls, acme: fresh } };
  });
  return changed ? { ...config, listeners } : config;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Asks for the certificates of a configuration and renews them, in the one process that does so. */
export class AutomaticCertificates {
  readonly #deps: AutomaticCertificatesDeps;
  #acme: AcmeConfig | undefined = undefined;
  #keeper: CertificateKeeper | undefined = undefined;

  constructor(deps: AutomaticCertificatesDeps) {
    this.#deps = deps;
  }

  /** Another configuration is in force. */
  follow(config: Config): void {
    const { acme } = config;
    if (!Bun.deepEquals(acme, this.#acme)) {
      this.#keeper?.stop();
      this.#keeper = acme === undefined ? undefined : this.#keep(acme);
      this.#acme = acme;
    }
    this.#keeper?.want(wantedBy(config));
  }

  #keep(acme: AcmeConfig): CertificateKeeper {
    const { log, clock } = this.#deps;
    const storage = new AcmeStorage(acme.storage);
    try {
      storage.prepare();
      storage.removeLeftovers(clock.wallMs());
    } catch (error) {
      // Told again with every certificate that cannot be stored; what is there already is served.
      const reason = error instanceof Error ? error.message : String(error);
      const todo = 'it must be a directory that this user may write; acme: { storage: ... } names another';
      log.error('certificate-storage', { directory: acme.storage, reason, todo });
    }
    const issuer = new CertificateAuthority(acme, storage);
    return new CertificateKeeper({ ...this.#deps, storage, issuer });
  }

  /** The certificates that are kept, failed attempts too. */
  status(): readonly AutomaticCertificateView[] {
    return this.#keeper?.status() ?? [];
  }

  stop(): void {
    this.#keeper?.stop();
  }
}
