import { runResumed } from '../s-time.ts';
import { runWrk } from '../wrk.ts';
import type { Scenario } from './scenario.ts';

/** HTTP/1.1 over TLS 1.3: what sealing costs, and what handshakes cost. */
export const tls: Scenario = {
  name: 'tls',
  about:
    'HTTP/1.1 over TLS 1.3 (ECDSA P-256): small requests over connections that stay open; a full handshake for each request; a resumed one, one client after the other.',
  cases: [
    {
      title: 'keep-alive',
      tls: true,
      routeCount: 0,
      load: (target) => runWrk({ ...target, tls: true, path: '/' }, target.workspace),
    },
    {
      title: 'full handshakes',
      tls: true,
      routeCount: 0,
      load: (target) =>
        runWrk({ ...target, tls: true, path: '/', headers: ['Connection: close'] }, target.workspace),
    },
    {
      title: 'resumed handshakes',
      tls: true,
      routeCount: 0,
      load: ({ port, seconds, workspace }) => runResumed(port, seconds, workspace),
    },
  ],
};
