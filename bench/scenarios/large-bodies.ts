import { LARGE_BODY_BYTES, LARGE_BODY_PATH, UPLOAD_PATH } from '../endpoints.ts';
import { runWrk } from '../wrk.ts';
import type { Scenario } from './scenario.ts';

/** Fewer connections than with small requests: each has a mebibyte under way. */
const CONNECTIONS = 16;

export const largeBodies: Scenario = {
  name: 'large-bodies',
  about: `Bodies of 1 MiB in either direction, ${CONNECTIONS} client connections.`,
  cases: [
    {
      title: 'response of 1 MiB',
      routeCount: 0,
      largeBodies: true,
      load: (target) =>
        runWrk({ ...target, connections: CONNECTIONS, path: LARGE_BODY_PATH }, target.workspace),
    },
    {
      title: 'request of 1 MiB',
      routeCount: 0,
      largeBodies: true,
      load: (target) =>
        runWrk(
          {
            ...target,
            connections: CONNECTIONS,
            path: UPLOAD_PATH,
            script: `wrk.method = "POST"\nwrk.body = string.rep("x", ${LARGE_BODY_BYTES})\n`,
          },
          target.workspace,
        ),
    },
  ],
};
