import { join } from 'node:path';

import { pinned } from '../machine.ts';
import type { PacedResult } from '../paced-load.ts';
import { closedLoop } from './keep-alive.ts';
import type { Scenario, Target } from './scenario.ts';

/** Share of what the slowest proxy can do. */
const LOAD = 0.7;

async function paced(target: Target): Promise<PacedResult> {
  const rate = Math.round(target.capacity * LOAD);
  const command = [
    process.execPath,
    join(import.meta.dir, '../paced-load.ts'),
    ...[target.port, rate, target.seconds, target.connections].map(String),
  ];
  const printed = await target.workspace.run(pinned('load', command), (target.seconds + 30) * 1000);
  return JSON.parse(printed) as PacedResult;
}

export const fixedRate: Scenario = {
  name: 'fixed-rate',
  about: `Small keep-alive requests at a fixed rate for all, ${LOAD * 100} % of what the slowest proxy can do. Latency counts from the time a request was due.`,
  cases: [{ title: `${LOAD * 100} % load`, routeCount: 0, warmUp: closedLoop, load: paced }],
};
