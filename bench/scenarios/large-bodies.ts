import {
  LARGE_BODY_BYTES,
  LARGE_BODY_PATH,
  MEDIUM_BODY_BYTES,
  MEDIUM_BODY_PATH,
  UPLOAD_PATH,
} from '../endpoints.ts';
import { runH2load } from '../h2load.ts';
import { runWrk } from '../wrk.ts';
import type { Case, Scenario } from './scenario.ts';

/** Fewer connections than with small requests: each has a mebibyte under way. */
const CONNECTIONS = 16;

type Load = Case['load'];

function response(path: string, tls: boolean): Load {
  return (target) => runWrk({ ...target, tls, connections: CONNECTIONS, path }, target.workspace);
}

function request(bytes: number, tls: boolean): Load {
  const script = `wrk.method = "POST"\nwrk.body = string.rep("x", ${bytes})\n`;
  return (target) =>
    runWrk({ ...target, tls, connections: CONNECTIONS, path: UPLOAD_PATH, script }, target.workspace);
}

/** One stream a connection, so that as much is under way as with HTTP/1.1. */
const ONE_STREAM = { connections: CONNECTIONS, streams: 1 };

function responseH2(path: string): Load {
  return ({ port, seconds, workspace }) => runH2load({ ...ONE_STREAM, port, seconds, path }, workspace);
}

function requestH2(bytes: number): Load {
  const body = new Uint8Array(bytes);
  return ({ port, seconds, workspace }) =>
    runH2load({ ...ONE_STREAM, port, seconds, path: UPLOAD_PATH, body }, workspace);
}

/** The proxies are warmed up by medium bodies: of large ones a few thousand come in that time, which leaves a worker half cold. */
function large(title: string, tls: boolean, load: Load, warmUp: Load): Case {
  return { title, routeCount: 0, largeBodies: true, tls, load, warmUp };
}

export const largeBodies: Scenario = {
  name: 'large-bodies',
  about: `Bodies of 1 MiB in either direction, ${CONNECTIONS} client connections; warmed up with bodies of 96 KiB.`,
  cases: [
    large('response of 1 MiB', false, response(LARGE_BODY_PATH, false), response(MEDIUM_BODY_PATH, false)),
    large('request of 1 MiB', false, request(LARGE_BODY_BYTES, false), request(MEDIUM_BODY_BYTES, false)),
    large('response, TLS', true, response(LARGE_BODY_PATH, true), response(MEDIUM_BODY_PATH, true)),
    large('request, TLS', true, request(LARGE_BODY_BYTES, true), request(MEDIUM_BODY_BYTES, true)),
    large('response, HTTP/2', true, responseH2(LARGE_BODY_PATH), responseH2(MEDIUM_BODY_PATH)),
    large('request, HTTP/2', true, requestH2(LARGE_BODY_BYTES), requestH2(MEDIUM_BODY_BYTES)),
  ],
};
