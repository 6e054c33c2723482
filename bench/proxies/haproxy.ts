import type { Workspace } from '../workspace.ts';
import { type Job, type ProxyKind, routePaths, versionBy } from './proxy.ts';

const FORWARDING = `
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header Via "1.1 haproxy"`;

const HTTP = `  timeout http-request 10s
  timeout http-keep-alive 600s
  http-reuse always
`;

/** HAProxy: one thread, connections to endpoints reused and checked, routes in a prefix map (its fastest way). */
export const haproxy: ProxyKind = {
  name: 'HAProxy',
  install: 'apt-get install haproxy',
  withoutUdp: true,
  version: () => versionBy(['haproxy', '-v'], /version (\d+(?:\.\d+)*)/),
  command(job, workspace) {
    return ['haproxy', '-db', '-f', workspace.write('haproxy.cfg', configuration(job, workspace))];
  },
};

function configuration(job: Job, workspace: Workspace): string {
  const endpoints = job.endpointPorts.map(
    (port, index) =>
      `  server endpoint-${index} 127.0.0.1:${port}${job.http2Endpoints ? ' proto h2' : ''} check inter 2s`,
  );
  // Without strict-limits: its estimate of two descriptors a connection is above what idle connections need.
  // With the usual ratios it closes reused endpoint connections when many descriptors are open: three times the CPU.
  // Of several buffer sizes tried, 64 KiB cost it the least with large bodies, and its default with small ones. With
  // large ones its window for request bodies of HTTP/2 is that of Pointsman, 256 KiB: with its default they cost it half as much again.
  return `
global
  nbthread 1
  no strict-limits
  maxconn ${job.connections}
  tune.bufsize ${job.largeBodies ? 65_536 : 16_384}
  tune.h2.initial-window-size ${job.largeBodies ? 262_144 : 65_535}
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 95
defaults
  mode ${job.protocol}
  maxconn ${job.connections}
  timeout connect 2s
  timeout client 600s
  timeout server ${job.protocol === 'http' ? '30s' : '600s'}
${job.protocol === 'http' ? HTTP : ''}frontend clients
  bind 127.0.0.1:${job.port} backlog 4096${tlsOf(job)}${job.sameHeaders && job.protocol === 'http' ? FORWARDING : ''}
${routing(job, workspace)}
  default_backend endpoints
backend endpoints
  balance roundrobin
${endpoints.join('\n')}
`;
}

function tlsOf({ certificate }: Job): string {
  if (certificate === undefined) return '';
  // In the order of Pointsman's default: all are to seal by the same cipher. HAProxy's own order counts unless it is told otherwise.
  const suites = 'ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';
  return ` ssl crt ${certificate.both} alpn h2,http/1.1 ssl-min-ver TLSv1.3 ${suites}`;
}

function routing(job: Job, workspace: Workspace): string {
  if (job.routeCount === 0) return '';
  const lines = routePaths(job.routeCount).map((path) => `${path} endpoints\n`);
  return `  use_backend %[path,map_beg(${workspace.write('routes.map', lines.join(''))})]`;
}
