import { LARGE_BODY_BYTES, LARGE_BODY_PATH, UPLOAD_PATH } from '../endpoints.ts';
import { runWrk } from '../wrk.ts';
import { hold } from './idle-connections.ts';
import { closedLoop } from './keep-alive.ts';
import type { Scenario } from './scenario.ts';

/** Fewer connections than with small requests: each has a mebibyte under way. */
const LARGE_CONNECTIONS = 16;

/** The load is HTTP, because its tools are good; to the proxies it is bytes. */
export const tcp: Scenario = {
  name: 'tcp',
  about:
    'TCP passed on as it comes (HAProxy in TCP mode, nginx stream): round trips of small messages, a session for each request, 1 MiB in either direction, and round trips beside idle sessions.',
  cases: [
    { title: 'round trips', protocol: 'tcp', routeCount: 0, load: closedLoop },
    {
      title: 'new sessions',
      protocol: 'tcp',
      routeCount: 0,
      load: (target) => runWrk({ ...target, path: '/', headers: ['Connection: close'] }, target.workspace),
    },
    {
      title: '1 MiB to the client',
      protocol: 'tcp',
      routeCount: 0,
      largeBodies: true,
      load: (target) =>
        runWrk({ ...target, connections: LARGE_CONNECTIONS, path: LARGE_BODY_PATH }, target.workspace),
    },
    {
      title: '1 MiB to the endpoint',
      protocol: 'tcp',
      routeCount: 0,
      largeBodies: true,
      load: (target) =>
        runWrk(
          {
            ...target,
            connections: LARGE_CONNECTIONS,
            path: UPLOAD_PATH,
            script: `wrk.method = "POST"\nwrk.body = string.rep("x", ${LARGE_BODY_BYTES})\n`,
          },
          target.workspace,
        ),
    },
    { title: 'beside idle sessions', protocol: 'tcp', routeCount: 0, load: closedLoop, hold },
  ],
};
