import { join } from 'node:path';

import { pinned } from '../machine.ts';
import type { LoadResult } from '../wrk.ts';
import type { Scenario, Target } from './scenario.ts';

const LOAD = join(import.meta.dir, '../udp-load.ts');

async function datagrams({ port, seconds, connections, workspace }: Target): Promise<LoadResult> {
  const command = [process.execPath, LOAD, String(port), String(seconds), String(connections)];
  return JSON.parse(await workspace.run(pinned('load', command), (seconds + 30) * 1000)) as LoadResult;
}

/** A request is a datagram of 64 bytes there and back. HAProxy has no UDP. */
export const udp: Scenario = {
  name: 'udp',
  about:
    'Datagrams passed on as they come (nginx stream; HAProxy has no UDP): round trips in sessions, and each datagram as a session of its own, as for DNS.',
  cases: [
    { title: 'round trips', protocol: 'udp', routeCount: 0, load: datagrams },
    {
      title: 'each by itself',
      protocol: 'udp',
      eachDatagram: true,
      routeCount: 0,
      load: datagrams,
    },
  ],
};
