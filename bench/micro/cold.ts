/**
 * What the first requests after a start cost: fresh processes, CPU time of the first 2000 requests, the next 8000, and so on, until the
 * code is compiled. Options of the runtime can be compared by their environment, in turns: the machine has its moods.
 *
 * Run: bin/bun run bench/micro/cold.ts [PROCESSES] [NAME=VALUE]...
 * as in: bin/bun run bench/micro/cold.ts 5 BUN_JSC_useFTLJIT=0 BUN_JSC_thresholdForFTLOptimizeAfterWarmUp=250000
 */
import { join } from 'node:path';

import type { ConfigInput } from '../../src/config/schema/config.ts';
import { untilServing } from '../contender.ts';
import { endpointsCommand } from '../endpoints.ts';
import { freePorts, pinned } from '../machine.ts';
import { cpuNsBetween, readCpu, readMemoryBytes } from '../measure.ts';
import { spreadOf } from '../statistics.ts';
import { Workspace } from '../workspace.ts';

const CONNECTIONS = 64;
const PARTS = [2000, 8000, 20_000, 70_000];
/** What the supervisor does once the start has passed is over by then, milliseconds. */
const SETTLE_MS = 2000;

const [processes = '5', ...settings] = process.argv.slice(2);
const workspace = new Workspace();
const [endpoint = 0, port = 0] = freePorts(2);
workspace.start(endpointsCommand([endpoint], [], workspace));
const config: ConfigInput = {
  workers: 1,
  admin: false,
  listeners: [{ name: 'web', address: `127.0.0.1:${port}`, protocol: 'http', routes: [{ pool: 'all' }] }],
  pools: [{ name: 'all', endpoints: [`127.0.0.1:${endpoint}`] }],
};
const file = workspace.write('pointsman.json', JSON.stringify(config));

/** Figures of one kind of process, a list for each part. */
interface Figures {
  readonly title: string;
  readonly command: readonly string[];
  readonly costsUs: readonly number[][];
  readonly memoryMib: number[];
}

const contenders: Figures[] = ['', ...settings].map((setting) => ({
  title: setting === '' ? 'as it is' : setting,
  command: pinned('proxy', [
    ...(setting === '' ? [] : ['env', setting]),
    join(import.meta.dir, '../../bin/pointsman'),
    'run',
    '-c',
    file,
  ]),
  costsUs: PARTS.map(() => []),
  memoryMib: [],
}));

async function measure({ command, costsUs, memoryMib }: Figures): Promise<void> {
  const daemon = workspace.start(command);
  await untilServing(daemon, 'Pointsman', port);
  await Bun.sleep(SETTLE_MS);
  const { pid } = daemon.child;
  for (const [part, requests] of PARTS.entries()) {
    const before = readCpu(pid);
    const load = ['h2load', '--h1', '-t1', `-c${CONNECTIONS}`, `-n${requests}`, `http://127.0.0.1:${port}/`];
    await workspace.run(pinned('load', load), 120_000);
    costsUs[part]!.push(cpuNsBetween(before, readCpu(pid)) / 1000 / requests);
  }
  memoryMib.push(readMemoryBytes(pid) / 2 ** 20);
  workspace.stop(daemon.child);
  await daemon.child.exited;
}

for (let round = 0; round < Number(processes); round++)
  for (const contender of contenders) await measure(contender);
for (const { title, costsUs, memoryMib } of contenders) {
  const parts = costsUs.map((costs, part) => `${PARTS[part]!}: ${spreadOf(costs).median.toFixed(1)} us`);
  process.stdout.write(
    `${title}\n  ${parts.join(', ')} a request; ${spreadOf(memoryMib).median.toFixed(0)} MiB at the end\n`,
  );
}
workspace.close();
process.exit(0);
