/**
 * What can be reached at all: CPU time a request of a program that makes the system calls of a balancer and does no work (`bare-relay.ts`),
 * beside HAProxy and Pointsman with the same load, without TLS. What Pointsman costs beyond the bare program is its own work; below the bare
 * program nothing can get that makes as many calls.
 *
 * Run: bin/bun run bench/micro/floor.ts [ROUNDS]
 */
import { join } from 'node:path';

import type { ConfigInput } from '../../src/config/schema/config.ts';
import { endpointsCommand } from '../endpoints.ts';
import { runH2load } from '../h2load.ts';
import { freePorts, pinned } from '../machine.ts';
import { cpuNsBetween, readCpu } from '../measure.ts';
import { rotated, spreadOf } from '../statistics.ts';
import { Workspace } from '../workspace.ts';
import { runWrk } from '../wrk.ts';

const SECONDS = 1;
const WARM_UP_SECONDS = 5;
const START_MS = 2000;

const rounds = Number(process.argv[2] ?? 11);
const workspace = new Workspace();
const [http1 = 0, http2 = 0] = freePorts(2);
workspace.start(pinned('load', endpointsCommand([http1], [http2], workspace)));

interface Load {
  readonly title: string;
  readonly http2: boolean;
  run(port: number, seconds: number): Promise<{ readonly requests: number }>;
}

function h2load(connections: number, streams: number): Load {
  return {
    title: `HTTP/2 on both sides, ${connections} connections of ${streams} streams`,
    http2: true,
    run: (port, seconds) => runH2load({ port, connections, streams, seconds, cleartext: true }, workspace),
  };
}

const loads: readonly Load[] = [
  {
    title: 'HTTP/1.1, 64 keep-alive connections',
    http2: false,
    run: (port, seconds) => runWrk({ port, path: '/', connections: 64, seconds }, workspace),
  },
  h2load(16, 16),
  h2load(10, 100),
];

function haproxy(port: number, overHttp2: boolean): readonly string[] {
  const proto = overHttp2 ? ' proto h2' : '';
  const config = `
global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 600s
  timeout server 30s
  http-reuse always
listen all
  bind 127.0.0.1:${port}${proto}
  server endpoint 127.0.0.1:${overHttp2 ? http2 : http1}${proto}
`;
  return ['haproxy', '-db', '-f', workspace.write('haproxy.cfg', config)];
}

function pointsman(port: number, overHttp2: boolean): readonly string[] {
  const config: ConfigInput = {
    workers: 1,
    admin: false,
    listeners: [
      {
        name: 'web',
        address: `127.0.0.1:${port}`,
        protocol: 'http',
        http2: { cleartext: overHttp2 },
        forwarding: { xForwarded: false, forwarded: false, via: '' },
        routes: [{ pool: 'all' }],
      },
    ],
    pools: [
      {
        name: 'all',
        protocol: overHttp2 ? 'h2c' : 'http1',
        endpoints: [`127.0.0.1:${overHttp2 ? http2 : http1}`],
      },
    ],
  };
  const file = workspace.write('pointsman.json', JSON.stringify(config));
  return [join(import.meta.dir, '../../bin/pointsman'), 'run', '-c', file];
}

function bare(port: number, overHttp2: boolean): readonly string[] {
  return [
    process.execPath,
    'run',
    join(import.meta.dir, 'bare-relay.ts'),
    `${port}`,
    `${overHttp2 ? http2 : http1}`,
  ];
}

const programs = [
  ['bare program', bare],
  ['Pointsman', pointsman],
  ['HAProxy', haproxy],
] as const;

for (const load of loads) {
  const ports = freePorts(programs.length);
  const running = programs.map(([name, command], index) => ({
    name,
    port: ports[index]!,
    daemon: workspace.start(pinned('proxy', command(ports[index]!, load.http2))),
    costsUs: [] as number[],
  }));
  await Bun.sleep(START_MS);
  for (const { port } of running) await load.run(port, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const { port, daemon, costsUs } of rotated(running, round)) {
      const before = readCpu(daemon.child.pid);
      const { requests } = await load.run(port, SECONDS);
      costsUs.push(cpuNsBetween(before, readCpu(daemon.child.pid)) / 1000 / requests);
    }
  }
  const rival = running.at(-1)!.costsUs;
  process.stdout.write(`${load.title}\n`);
  for (const { name, costsUs, daemon } of running) {
    const ratio = spreadOf(costsUs.map((cost, round) => cost / rival[round]!));
    process.stdout.write(
      `  ${name.padEnd(14)}${spreadOf(costsUs).median.toFixed(1).padStart(7)} us a request, ${ratio.median.toFixed(2)} of HAProxy\n`,
    );
    workspace.stop(daemon.child);
  }
}
workspace.close();
process.exit(0);
