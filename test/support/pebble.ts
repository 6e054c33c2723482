import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from './free-ports.ts';

/** A real ACME server (Let's Encrypt's own for tests) with a DNS of its own in which every name is this machine. */
export interface Pebble {
  readonly directoryUrl: string;
  /** File with the CA of the server's own certificate. */
  readonly ca: string;
  stop(): Promise<void>;
}

export interface PebbleOptions {
  /** Ports on which it looks for us in place of 80 and 443. */
  readonly httpPort: number;
  readonly tlsPort: number;
  /** Of the certificates it issues. */
  readonly validitySeconds?: number;
  /** Listens here; for one that comes back. */
  readonly port?: number;
}

function selfSigned(directory: string): { cert: string; key: string } {
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1';
  const made = spawnSync('openssl', [...args.split(' '), '-keyout', files.key, '-out', files.cert]);
  if (made.status !== 0) throw new Error(`openssl: ${String(made.stderr)}`);
  return files;
}

/**
 * Starts one.
 * @throws Error when it does not answer within ten seconds.
 */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-pebble-'));
  const { cert, key } = selfSigned(directory);
  const [ownPort, dnsPort, challengeAdminPort] = await freePorts(3);
  const port = options.port ?? ownPort!;
  const file = join(directory, 'config.json');
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: '',
    certificate: cert,
    privateKey: key,
    httpPort: options.httpPort,
    tlsPort: options.tlsPort,
    ...(options.validitySeconds === undefined ? {} : { certificateValidityPeriod: options.validitySeconds }),
  };
  writeFileSync(file, JSON.stringify({ pebble }));
  const quiet = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } as const;
  const addresses = `-dns01 127.0.0.1:${dnsPort} -management 127.0.0.1:${challengeAdminPort}`.split(' ');
  const off = ['http01', 'https01', 'tlsalpn01', 'defaultIPv6'].flatMap((what) => [`-${what}`, '']);
  const names = Bun.spawn(['pebble-challtestsrv', ...off, ...addresses], quiet);
  const server = Bun.spawn(['pebble', '-config', file, '-dnsserver', `127.0.0.1:${dnsPort}`], {
    ...quiet,
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0' },
  });
  const stop = async (): Promise<void> => {
    for (const child of [server, names]) child.kill();
    await Promise.all([server.exited, names.exited]);
    rmSync(directory, { recursive: true, force: true });
  };
  const directoryUrl = `https://127.0.0.1:${port}/dir`;
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 50) {
    try {
      const answer = await fetch(directoryUrl, { tls: { rejectUnauthorized: false } });
      if (answer.ok) return { directoryUrl, ca: cert, stop };
    } catch {
      // Not yet.
    }
    await Bun.sleep(50);
  }
  await stop();
  throw new Error('pebble does not answer');
}
