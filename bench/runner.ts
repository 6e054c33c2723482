import { join } from 'node:path';

import { Contender, untilServing } from './contender.ts';
import { endpointsCommand } from './endpoints.ts';
import { freePorts, pinned } from './machine.ts';
import type { BenchOptions } from './options.ts';
import type { ProxyKind } from './proxies/proxy.ts';
import type { ScenarioResult } from './results.ts';
import { measureRounds } from './rounds.ts';
import type { Scenario } from './scenarios/scenario.ts';
import type { Workspace } from './workspace.ts';

const ENDPOINTS = 2;

/** Starts everything that `scenario` needs, measures it and stops it again. */
export async function runScenario(
  scenario: Scenario,
  kinds: readonly ProxyKind[],
  options: BenchOptions,
  workspace: Workspace,
  say: (line: string) => void,
): Promise<ScenarioResult> {
  const endpointPorts = freePorts(ENDPOINTS);
  const http2Ports = freePorts(ENDPOINTS);
  const endpoints = workspace.start(pinned('load', endpointsCommand(endpointPorts, http2Ports, workspace)));
  const echo = [process.execPath, join(import.meta.dir, 'udp-endpoints.ts'), ...endpointPorts.map(String)];
  const needsUdp = scenario.cases.some(({ protocol }) => protocol === 'udp');
  const udpEndpoints = needsUdp ? workspace.start(pinned('load', echo)) : undefined;
  const contenders: Contender[] = [];
  try {
    await untilServing(endpoints, 'the endpoints', endpointPorts[0] ?? 0);
    for (const item of scenario.cases) {
      for (const kind of kinds) {
        if (item.protocol === 'udp' && kind.withoutUdp === true) continue;
        if (item.http2Endpoints === true && item.grpc !== true && kind.withoutHttp2Endpoints === true)
          continue;
        const ports = item.http2Endpoints === true ? http2Ports : endpointPorts;
        contenders.push(await Contender.start(kind, item, ports, options, workspace));
      }
    }
    let capacity = Number.POSITIVE_INFINITY;
    for (const contender of contenders) capacity = Math.min(capacity, await contender.warmUp());
    const rounds = await measureRounds(contenders, options, capacity, say);
    const results = await Promise.all(
      contenders.map((contender, place) =>
        contender.conclude(rounds.flatMap((round) => round.slice(place, place + 1))),
      ),
    );
    return { name: scenario.name, about: scenario.about, plain: options.plain, results };
  } finally {
    for (const contender of contenders) contender.stop();
    workspace.stop(endpoints.child);
    if (udpEndpoints !== undefined) workspace.stop(udpEndpoints.child);
  }
}
