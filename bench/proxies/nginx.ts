import { existsSync } from 'node:fs';

import type { Workspace } from '../workspace.ts';
import { type Job, type ProxyKind, routePaths, versionBy } from './proxy.ts';

const FORWARDING = `
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header Via "1.1 nginx";`;

/** nginx as a proxy: one worker, connections to endpoints reused, passive health checks as it has them. */
export const nginx: ProxyKind = {
  name: 'nginx',
  install: 'apt-get install nginx-light',
  withoutHttp2Endpoints: true,
  version: nginxVersion,
  command(job, workspace) {
    const text =
      job.protocol !== 'http' ? streamConfiguration(job, workspace) : proxyConfiguration(job, workspace);
    const path = workspace.write('nginx-proxy.conf', text);
    return ['nginx', '-c', path];
  },
};

/** The installed version of nginx, which also plays the endpoints; undefined when there is none. */
export function nginxVersion(): Promise<string | undefined> {
  return versionBy(['nginx', '-v'], /nginx\/(\S+)/);
}

/** The part of a configuration that the proxy and the endpoints share; `http` is the inside of the http block. */
export function nginxConfiguration(http: string, workspace: Workspace): string {
  const temporary = workspace.path('nginx-temporary');
  return `
worker_processes 1;
daemon off;
pid ${workspace.path('nginx.pid')};
error_log stderr crit;
events { worker_connections 25000; }
http {
  access_log off;
  client_body_temp_path ${temporary}-body;
  proxy_temp_path ${temporary}-proxy;
  fastcgi_temp_path ${temporary}-fastcgi;
  uwsgi_temp_path ${temporary}-uwsgi;
  scgi_temp_path ${temporary}-scgi;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
${http}
}
`;
}

/** Where Debian puts the module; nginx of other origin has it built in, or does not run. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

function streamConfiguration(job: Job, workspace: Workspace): string {
  const endpoints = job.endpointPorts.map((port) => `    server 127.0.0.1:${port};`).join('\n');
  // The buffer that cost it the least with bodies of 1 MiB, and its default with small messages.
  const buffer = job.largeBodies ? '    proxy_buffer_size 64k;\n' : '';
  return `
${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ''}
worker_processes 1;
daemon off;
pid ${workspace.path('nginx.pid')};
error_log stderr crit;
events { worker_connections 50000; }
stream {
  access_log off;
  upstream endpoints {
${endpoints}
  }
  server {
${streamListen(job)}
    proxy_connect_timeout 2s;
    proxy_timeout 600s;
${buffer}    proxy_pass endpoints;
  }
}
`;
}

function streamListen({ port, protocol, eachDatagram }: Job): string {
  if (protocol === 'tcp') return `    listen 127.0.0.1:${port} backlog=4096;\n    tcp_nodelay on;`;
  const each = eachDatagram ? '\n    proxy_requests 1;\n    proxy_responses 1;' : '';
  return `    listen 127.0.0.1:${port} udp;${each}`;
}

/** In the order of Pointsman's default: all are to seal by the same cipher, whatever the client prefers. */
const CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';

/** The end of `listen`, and what TLS needs behind it. */
function tlsOf({ certificate }: Job): string {
  if (certificate === undefined) return ';';
  const { cert, key } = certificate;
  return ` ssl http2;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.3;
    ssl_prefer_server_ciphers on;
    ssl_conf_command Ciphersuites ${CIPHER_SUITES};`;
}

function proxyConfiguration(job: Job, workspace: Workspace): string {
  const endpoints = job.endpointPorts.map((port) => `    server 127.0.0.1:${port};`).join('\n');
  const locations = routePaths(job.routeCount).map(
    (path) => `    location ${path} { proxy_pass http://endpoints; }`,
  );
  if (job.grpc) return grpcConfiguration(job, endpoints, workspace);
  // Bodies are streamed from memory: never a temporary file, in either direction. The sizes are those of several tried
  // that cost nginx the least CPU.
  return nginxConfiguration(
    `
  upstream endpoints {
${endpoints}
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${job.port} backlog=4096${tlsOf(job)}
    client_header_timeout 10s;
    proxy_connect_timeout 2s;
    proxy_read_timeout 30s;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_buffers 16 32k;
    proxy_busy_buffers_size 256k;
    client_body_buffer_size 256k;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;${job.sameHeaders ? FORWARDING : ''}
${locations.join('\n')}
    location / { proxy_pass http://endpoints; }
  }`,
    workspace,
  );
}

function grpcConfiguration(job: Job, endpoints: string, workspace: Workspace): string {
  const forwarding = job.sameHeaders ? FORWARDING.replaceAll('proxy_set_header', 'grpc_set_header') : '';
  return nginxConfiguration(
    `
  upstream endpoints {
${endpoints}
    # A connection carries one call at a time here: fewer than there are calls, and they are opened anew all the time.
    keepalive 1024;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${job.port} backlog=4096${tlsOf(job)}
    client_header_timeout 10s;
    grpc_connect_timeout 2s;
    grpc_read_timeout 30s;
    grpc_set_header Host $http_host;${forwarding}
    location / { grpc_pass grpc://endpoints; }
  }`,
    workspace,
  );
}
