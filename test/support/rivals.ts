import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from './free-ports.ts';
import type { HostPort } from './wire.ts';

/**
 * nginx and HAProxy in front of the same endpoints. They are here to test the tests: rigs that judge Pointsman must
 * find the faults that these are known to have.
 */
export type RivalName = 'nginx' | 'haproxy';

export interface Rival {
  readonly addresses: readonly HostPort[];
  stop(): Promise<void>;
}

function nginxConfig(directory: string, ports: readonly number[], endpoints: readonly HostPort[]): string {
  const parts = ports.map((port, index) => {
    const { host, port: endpointPort } = endpoints[index] ?? { host: '', port: 0 };
    return `upstream u${index} { server ${host}:${endpointPort}; keepalive 8; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://u${index}; } }`;
  });
  return `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  map $http_upgrade $upgrade { default upgrade; '' ''; }
  proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade;
  proxy_set_header Host $http_host; proxy_request_buffering off; proxy_buffering off;
  client_header_timeout 1500ms; client_body_timeout 1500ms; proxy_read_timeout 3s;
  ${parts.join('\n  ')}
}
`;
}

function haproxyConfig(ports: readonly number[], endpoints: readonly HostPort[]): string {
  const parts = ports.map((port, index) => {
    const { host, port: endpointPort } = endpoints[index] ?? { host: '', port: 0 };
    return `listen l${index}\n  bind 127.0.0.1:${port}\n  server s ${host}:${endpointPort}`;
  });
  return `global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 1500ms
  timeout server 3s
  timeout http-request 1500ms
${parts.join('\n')}
`;
}

/** Starts a rival with one listening port for each endpoint. */
export async function startRival(name: RivalName, endpoints: readonly HostPort[]): Promise<Rival> {
  const directory = mkdtempSync(join(tmpdir(), `pointsman-${name}-`));
  const file = join(directory, 'conf');
  const ports = await freePorts(endpoints.length);
  writeFileSync(
    file,
    name === 'nginx' ? nginxConfig(directory, ports, endpoints) : haproxyConfig(ports, endpoints),
  );
  const command = name === 'nginx' ? ['/usr/sbin/nginx', '-c', file] : ['/usr/sbin/haproxy', '-f', file];
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
  const addresses = ports.map((port) => ({ host: '127.0.0.1', port }));
  await Bun.sleep(300);
  return {
    addresses,
    stop: async () => {
      child.kill('SIGKILL');
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
