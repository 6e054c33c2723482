import { dirname, resolve } from 'node:path';

import type { Config } from './schema/config.ts';
import type { NamedFile } from './schema/tls.ts';

/**
 * Every file that a configuration is made of: itself, and those that it names.
 * @param file its path
 * @param config undefined when it could not be read
 */
export function filesOf(file: string, config: Config | undefined): string[] {
  const named = new Set<string>([file]);
  const add = (one: NamedFile | undefined): void => {
    if (one !== undefined) named.add(resolve(dirname(file), one.path));
  };
  for (const listener of config?.listeners ?? []) {
    if (listener.protocol !== 'http' || listener.tls === undefined) continue;
    const { certificates, clientCertificate, sessionTickets } = listener.tls;
    for (const { cert, key, passphraseFile, ocspResponse } of certificates)
      for (const one of [cert, key, passphraseFile, ocspResponse]) add(one);
    add(clientCertificate?.ca);
    add(clientCertificate?.crl);
    if (sessionTickets !== false) add(sessionTickets.keyFile);
  }
  for (const { tls, healthCheck } of config?.pools ?? []) {
    add(tls?.ca);
    add(healthCheck?.tls?.ca);
    for (const one of [
      tls?.clientCertificate?.cert,
      tls?.clientCertificate?.key,
      tls?.clientCertificate?.passphraseFile,
    ])
      add(one);
  }
  return [...named];
}
