import { GRPC_METHOD } from './h2load.ts';
import { nginxConfiguration } from './proxies/nginx.ts';
import type { Workspace } from './workspace.ts';

/** What an endpoint answers to any path but those of the larger bodies: 76 bytes. */
const SMALL_BODY = 'The endpoint says: hello. This body is there to be carried, not to be read.\n';
/** The path that is answered with `LARGE_BODY_BYTES`. */
export const LARGE_BODY_PATH = '/one-mebibyte';
export const LARGE_BODY_BYTES = 1024 ** 2;
/** ... and with `MEDIUM_BODY_BYTES`: still several reads and writes, but thousands a second. */
export const MEDIUM_BODY_PATH = '/96-kibibytes';
export const MEDIUM_BODY_BYTES = 96 * 1024;
/** The path that is answered when the whole request body has been read; other paths answer at once. */
export const UPLOAD_PATH = '/upload';

/**
 * Command of a process that plays all endpoints, as cheaply as the machine allows: fixed answers of nginx, the larger
 * ones by sendfile.
 * @param http2Ports speak HTTP/2 without TLS, by prior knowledge, and nothing else
 */
export function endpointsCommand(
  ports: readonly number[],
  http2Ports: readonly number[],
  workspace: Workspace,
): readonly string[] {
  const large = workspace.write('large-body', new Uint8Array(LARGE_BODY_BYTES));
  const medium = workspace.write('medium-body', new Uint8Array(MEDIUM_BODY_BYTES));
  const listens = [
    ...ports.map((port) => `    listen 127.0.0.1:${port} backlog=4096;`),
    ...http2Ports.map((port) => `    listen 127.0.0.1:${port} http2 backlog=4096;`),
  ].join('\n');
  const path = workspace.write(
    'endpoints.conf',
    nginxConfiguration(
      `
  sendfile on;
  default_type text/plain;
  open_file_cache max=10;
  upstream small { server 127.0.0.1:${ports[0]}; keepalive 64; }
  server {
${listens}
    location / { return 200 "${SMALL_BODY.trimEnd()}\\n"; }
    location = ${LARGE_BODY_PATH} { alias ${large}; }
    location = ${MEDIUM_BODY_PATH} { alias ${medium}; }
    # Only what passes a request on reads its body first: this passes the bare request on to itself.
    location = ${UPLOAD_PATH} {
      client_body_buffer_size ${LARGE_BODY_BYTES * 2};
      proxy_pass http://small/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
    }
    # As above: an answer before the end of the call would have nginx, as a proxy, give up the connection.
    location = ${GRPC_METHOD} {
      add_trailer grpc-status 0;
      proxy_pass http://small/grpc-answer;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
    }
    # What the message says nobody looks at.
    location = /grpc-answer {
      default_type application/grpc;
      return 200 "${SMALL_BODY.trimEnd()}\\n";
    }
  }`,
      workspace,
    ),
  );
  return ['nginx', '-c', path];
}
