import { join } from 'node:path';

import type { ConfigInput } from '../../src/config/schema/config.ts';
import type { Certificate } from '../certificate.ts';
import { type Job, type ProxyKind, routePaths, versionBy } from './proxy.ts';

/** Pointsman from this checkout; its admin listener with metrics is on. */
export const pointsman = pointsmanAt(join(import.meta.dir, '../../bin/pointsman'));

/** Pointsman started by the executable at `path`. */
export function pointsmanAt(path: string): ProxyKind {
  return {
    name: 'Pointsman',
    install: 'npm install, in the checkout',
    version: () => versionBy([path, '--version'], /(\d+\.\d+\.\d+\S*)/),
    command(job, workspace) {
      const file = workspace.write('pointsman.json', JSON.stringify(configuration(job)));
      return [path, 'run', '-c', file];
    },
  };
}

function listener(job: Job): ConfigInput['listeners'][number] {
  const named = { name: 'clients', address: `127.0.0.1:${job.port}` };
  if (job.protocol === 'tcp') return { ...named, protocol: 'tcp', pool: 'endpoints' };
  if (job.protocol === 'udp') {
    const session = job.eachDatagram ? { requests: 1, responses: 1 } : {};
    return { ...named, protocol: 'udp', pool: 'endpoints', session, timeouts: { idle: '10m' } };
  }
  const routes = routePaths(job.routeCount).map((prefix) => ({
    match: { path: `${prefix}*` },
    pool: 'endpoints',
  }));
  return {
    ...named,
    routes: [...routes, { pool: 'endpoints' }],
    ...(job.certificate === undefined ? {} : { tls: tlsOf(job.certificate) }),
    timeouts: { idle: '10m' },
    // The others write no Forwarded header: with the same headers, neither does Pointsman.
    ...(job.sameHeaders ? { forwarding: { forwarded: false } } : {}),
  };
}

/** TLS 1.3 alone, and no Strict-Transport-Security, which the others would not send. */
function tlsOf({ cert, key }: Certificate) {
  return { certificates: [{ cert, key }], minVersion: '1.3' as const, hsts: false as const };
}

function configuration(job: Job): ConfigInput {
  return {
    workers: 1,
    admin: { address: '127.0.0.1:0' },
    listeners: [listener(job)],
    pools: [
      {
        name: 'endpoints',
        ...(job.sameHeaders ? { policy: 'round-robin' } : {}),
        endpoints: job.endpointPorts.map((port) => `127.0.0.1:${port}`),
        ...(job.http2Endpoints ? { protocol: 'h2c' as const } : {}),
        healthCheck: { tcp: {}, interval: '2s' },
      },
    ],
  };
}
