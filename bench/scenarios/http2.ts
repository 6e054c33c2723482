import { runH2load } from '../h2load.ts';
import type { Case, Scenario } from './scenario.ts';

function load(connections: number, streams: number): Case['load'] {
  return ({ port, seconds, workspace }) => runH2load({ port, seconds, connections, streams }, workspace);
}

/** Many requests at once on few connections, over TLS, to endpoints that speak HTTP/1.1. */
export const http2: Scenario = {
  name: 'http2',
  about: 'Small requests (76-byte answers) over HTTP/2 and TLS 1.3; endpoints speak HTTP/1.1.',
  cases: [
    { title: '16 connections, 16 streams each', tls: true, routeCount: 0, load: load(16, 16) },
    { title: '10 connections, 100 streams each', tls: true, routeCount: 0, load: load(10, 100) },
  ],
};

/** The same with HTTP/2 to the endpoints as well, which nginx does not speak. */
export const http2BothSides: Scenario = {
  name: 'http2-both-sides',
  about: 'Small requests (76-byte answers) over HTTP/2 and TLS 1.3; endpoints speak HTTP/2 without TLS.',
  cases: [
    {
      title: '16 connections, 16 streams each',
      tls: true,
      http2Endpoints: true,
      routeCount: 0,
      load: load(16, 16),
    },
    {
      title: '10 connections, 100 streams each',
      tls: true,
      http2Endpoints: true,
      routeCount: 0,
      load: load(10, 100),
    },
  ],
};
