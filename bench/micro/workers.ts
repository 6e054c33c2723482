/**
 * What a second worker costs and brings: CPU time of all processes for a request, with one worker and with two, and how even two workers
 * share connections. When a request costs the same, two cores carry twice as much; to see that as throughput, load and endpoints would
 * need cores of their own.
 *
 * Run: bin/bun run bench/micro/workers.ts [ROUNDS]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ConfigInput } from '../../src/config/schema/config.ts';
import { untilServing } from '../contender.ts';
import { endpointsCommand } from '../endpoints.ts';
import { freePorts } from '../machine.ts';
import { cpuNsBetween, readCpu } from '../measure.ts';
import { spreadOf } from '../statistics.ts';
import { Workspace } from '../workspace.ts';
import { parseWrk } from '../wrk.ts';

const CONNECTIONS = 64;
const SECONDS = 2;

const rounds = Number(process.argv[2] ?? 7);
const workspace = new Workspace();
const [endpoint = 0, one = 0, two = 0] = freePorts(3);
workspace.start(endpointsCommand([endpoint], [], workspace));

function start(workers: number, port: number) {
  const config: ConfigInput = {
    workers,
    admin: false,
    listeners: [{ name: 'web', address: `127.0.0.1:${port}`, protocol: 'http', routes: [{ pool: 'all' }] }],
    pools: [{ name: 'all', endpoints: [`127.0.0.1:${endpoint}`] }],
  };
  const file = workspace.write('pointsman.json', JSON.stringify(config));
  const daemon = workspace.start([join(import.meta.dir, '../../bin/pointsman'), 'run', '-c', file]);
  return { workers, port, daemon, costsUs: [] as number[] };
}

/** Time on a core of each worker of a supervisor, nanoseconds. */
function workersNs(supervisor: number): number[] {
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim().split(' ');
  return children.map((pid) => {
    const threads = readdirSync(`/proc/${pid}/task`);
    const onCore = (thread: string): number =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    return threads.reduce((sum, thread) => sum + onCore(thread), 0);
  });
}

const contenders = [start(1, one), start(2, two)];
for (const { port, daemon } of contenders) await untilServing(daemon, 'Pointsman', port);
const lesserShares: number[] = [];
for (let round = 0; round <= rounds; round++) {
  for (const { workers, port, daemon, costsUs } of contenders) {
    const { pid } = daemon.child;
    const before = readCpu(pid);
    const each = workersNs(pid);
    const load = [
      'wrk',
      '--latency',
      '-t1',
      `-c${CONNECTIONS}`,
      `-d${SECONDS}s`,
      `http://127.0.0.1:${port}/`,
    ];
    const { requests } = parseWrk(await workspace.run(load, 60_000));
    // The first round warms up.
    if (round === 0) continue;
    costsUs.push(cpuNsBetween(before, readCpu(pid)) / 1000 / requests);
    if (workers === 1) continue;
    const used = workersNs(pid).map((ns, index) => ns - each[index]!);
    lesserShares.push(Math.min(...used) / used.reduce((sum, ns) => sum + ns, 0));
  }
}
const [single, double] = contenders.map(({ costsUs }) => spreadOf(costsUs).median);
process.stdout.write(
  [
    `one worker   ${single!.toFixed(1)} us a request`,
    `two workers  ${double!.toFixed(1)} us a request, ${(double! / single!).toFixed(3)} of one`,
    `so two cores carry ${((2 * single!) / double!).toFixed(2)} times what one does`,
    `the lesser of two workers has ${(spreadOf(lesserShares).median * 100).toFixed(0)} % of the work, with ${CONNECTIONS} connections`,
    '',
  ].join('\n'),
);
workspace.close();
process.exit(0);
