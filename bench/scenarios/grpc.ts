import { runH2load } from '../h2load.ts';
import type { Case, Scenario } from './scenario.ts';

const MESSAGE = new Uint8Array(100).fill(65);

function calls(connections: number, streams: number): Case {
  return {
    title: `${connections} connections, ${streams} calls each at once`,
    tls: true,
    http2Endpoints: true,
    grpc: true,
    routeCount: 0,
    load: ({ port, seconds, workspace }) =>
      runH2load({ port, seconds, connections, streams, message: MESSAGE }, workspace),
  };
}

/** Unary calls, which nginx passes on as well. */
export const grpc: Scenario = {
  name: 'grpc',
  about:
    'Unary calls of gRPC (messages of 100 and 76 bytes, a deadline, a status in trailers) over HTTP/2 and TLS 1.3; endpoints speak HTTP/2 without TLS.',
  cases: [calls(16, 16), calls(10, 100)],
};
