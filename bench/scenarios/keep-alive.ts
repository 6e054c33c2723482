import { runWrk } from '../wrk.ts';
import type { Case, Scenario } from './scenario.ts';

/** Small requests over connections that stay open: what a proxy costs. */
export const closedLoop: Case['load'] = (target) => runWrk({ ...target, path: '/' }, target.workspace);

export const keepAlive: Scenario = {
  name: 'keep-alive',
  about: 'Small requests (76-byte answers) over client connections that stay open.',
  cases: [{ title: 'keep-alive', routeCount: 0, load: closedLoop }],
};
