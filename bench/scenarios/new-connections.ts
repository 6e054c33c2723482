import { runWrk } from '../wrk.ts';
import type { Scenario } from './scenario.ts';

export const newConnections: Scenario = {
  name: 'new-connections',
  about: 'A new client connection for every request (`Connection: close`); endpoint connections are reused.',
  cases: [
    {
      title: 'new connections',
      routeCount: 0,
      load: (target) => runWrk({ ...target, path: '/', headers: ['Connection: close'] }, target.workspace),
    },
  ],
};
