/** `npm run bench`: measures what a request costs in nginx, HAProxy and Pointsman. See README.md beside this file. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describeMachine } from './machine.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { haproxy } from './proxies/haproxy.ts';
import { nginx, nginxVersion } from './proxies/nginx.ts';
import { pointsman, pointsmanAt } from './proxies/pointsman.ts';
import type { ProxyKind } from './proxies/proxy.ts';
import { describeRun, describeScenario, type Report } from './report.ts';
import { mergeResults, sectionName } from './results-file.ts';
import type { ScenarioResult } from './results.ts';
import { runScenario } from './runner.ts';
import { Workspace } from './workspace.ts';

const RESULTS_PATH = join(import.meta.dir, 'RESULTS.md');

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The proxies that are asked for and installed; says what is left out and why. */
async function contestants(options: BenchOptions): Promise<{ kinds: ProxyKind[]; versions: string[] }> {
  const subject = options.binary === undefined ? pointsman : pointsmanAt(options.binary);
  const kinds: ProxyKind[] = [];
  const versions: string[] = [];
  for (const kind of [nginx, haproxy, subject]) {
    if (options.only?.includes(kind.name.toLowerCase()) === false) continue;
    const version = await kind.version();
    if (version === undefined) {
      say(`${kind.name} is not installed and is left out (${kind.install}).`);
      continue;
    }
    kinds.push(kind);
    versions.push(`${kind.name} ${version}`);
  }
  return { kinds, versions };
}

async function missingTools(): Promise<string[]> {
  const missing: string[] = [];
  if ((await nginxVersion()) === undefined)
    missing.push('nginx, which plays the endpoints (apt-get install nginx-light)');
  if (Bun.which('wrk') === null) missing.push('wrk, which makes the load (apt-get install wrk)');
  if (Bun.which('h2load') === null)
    missing.push('h2load, which makes the load of HTTP/2 (apt-get install nghttp2-client)');
  return missing;
}

function errorsOf(results: readonly ScenarioResult[]): number {
  const samples = results.flatMap((scenario) => scenario.results.flatMap((result) => result.samples));
  return samples.reduce((sum, sample) => sum + sample.errors, 0);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  const missing = await missingTools();
  if (missing.length > 0) {
    say(`Nothing measured. Missing: ${missing.join('; ')}.`);
    return 1;
  }
  const machine = describeMachine();
  if (machine.loadBefore > 0.5) {
    say(`Others use this machine (load ${machine.loadBefore.toFixed(2)}): expect wide spreads.`);
  }
  const { kinds, versions } = await contestants(options);
  const workspace = new Workspace();
  const done: ScenarioResult[] = [];
  try {
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: ${scenario.about}`);
      const result = await runScenario(scenario, kinds, options, workspace, say);
      process.stdout.write(`\n## ${sectionName(result)}\n\n${describeScenario(result)}\n\n`);
      done.push(result);
    }
  } finally {
    workspace.close();
  }
  const command = ['npm run bench', ...(argv.length > 0 ? ['--', ...argv] : [])].join(' ');
  const report: Report = { command, machine, versions: [...versions, `Bun ${Bun.version}`], scenarios: done };
  process.stdout.write(`${describeRun(report)}\n`);
  const failed = errorsOf(done);
  if (options.jsonPath !== undefined) writeFileSync(options.jsonPath, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write) {
    const existing = existsSync(RESULTS_PATH) ? readFileSync(RESULTS_PATH, 'utf8') : '';
    writeFileSync(RESULTS_PATH, mergeResults(existing, report));
    say(`Written to ${RESULTS_PATH}.`);
  }
  if (failed > 0) say(`${failed} requests failed: the figures of those proxies mean little.`);
  return failed > 0 ? 1 : 0;
}

process.exit(
  await main(process.argv.slice(2)).catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }),
);
