import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { Command } from 'commander';

import { configFromFlags } from '../config/flags.ts';
import { loadConfig } from '../config/load.ts';
import { type Address, formatAddress } from '../config/schema/address.ts';
import { POLICY_NAMES } from '../config/schema/pool.ts';
import { allHealthy } from './demo/all-healthy.ts';
import { bindable } from './demo/bindable.ts';
import { type DemoChoices, demoConfig } from './demo/demo-config.ts';
import { DemoEndpoint } from './demo/demo-endpoint.ts';
import { instructions } from './demo/instructions.ts';
import { EXIT } from './exit-code.ts';
import { printIssues } from './issues.ts';
import { styled, type Terminal } from './terminal.ts';

interface DemoOptions {
  readonly listen: string;
  readonly admin?: string;
  readonly policy?: string;
}

/** How long the slow endpoint takes, milliseconds. */
const SLOW_MS = 300;

/** `pointsman demo`: a balancer before three endpoints of its own, and what to try with it. */
export function demoCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('demo')
    .description('balance over three small endpoints that come along, to try things out')
    .option('--listen <address>', 'where to listen; port 0 is any free one', ':8080')
    .option('--admin <address>', 'where the admin interface listens')
    .option('--policy <name>', POLICY_NAMES.join(', '))
    .addHelpText(
      'after',
      `
Exit code: 0 after Ctrl-C, 1 when it cannot run (a port in use), 2 when an option is wrong.

Examples:
  pointsman demo
  pointsman demo --listen :9090 --policy least-response-time`,
    )
    .action(async (options: DemoOptions, command: Command) => {
      // Judged as the same options of `run` are; the endpoint is not known yet.
      const result = configFromFlags({ ...options, to: ['127.0.0.1:1'] });
      if (!result.ok) {
        printIssues(terminal, result.issues);
        return finish(EXIT.usage);
      }
      const { admin, listeners } = result.config;
      if (admin === false)
        return command.error('error: --admin: the demonstration needs the admin interface');
      const listen = await freeAddress(terminal, 'listen', listeners[0]!.address);
      const adminAddress = listen && (await freeAddress(terminal, 'admin', admin.address));
      if (adminAddress === undefined) return finish(EXIT.failure);
      const { policy } = options;
      finish(await demonstrate(terminal, { listen: listen!, admin: adminAddress, policy }));
    });
}

/** The address with a port that can be listened on; undefined, with a word about it, when there is none. */
async function freeAddress(
  terminal: Terminal,
  option: string,
  address: Address,
): Promise<Address | undefined> {
  const free = await bindable(address);
  if (typeof free !== 'string') return free;
  const place = formatAddress(address);
  const why =
    free === 'EADDRINUSE' ? `another program listens on ${place}` : `cannot listen on ${place}: ${free}`;
  const other = `${address.host === '0.0.0.0' ? '' : address.host}:${await freePortAfter(address)}`;
  terminal.err(`error: ${why}\nChoose another place: ${programName(terminal)} demo --${option} ${other}\n`);
  return undefined;
}

/** A port near by that can be listened on now; 0, which is any free one, when the next ones are taken too. */
async function freePortAfter({ host, port }: Address): Promise<number> {
  const last = Math.min(port + 20, 65_535);
  for (let next = port + 1; next <= last; next++) {
    if (typeof (await bindable({ host, port: next })) !== 'string') return next;
  }
  return 0;
}

async function demonstrate(terminal: Terminal, choices: Omit<DemoChoices, 'endpoints'>): Promise<number> {
  const notice = (text: string) => terminal.out(`${styled('bold', text, terminal.outColor)}\n`);
  const events = {
    ended: ({ name }: DemoEndpoint, how: string, restartMs: number) =>
      notice(`>> endpoint ${name} was ended (${how}); it starts again in ${restartMs / 1000} seconds`),
    returned: ({ name, pid }: DemoEndpoint) =>
      notice(`>> endpoint ${name} runs again; to end it once more: kill -9 ${pid}`),
  };
  const endpoints = [
    new DemoEndpoint('one', 0, events),
    new DemoEndpoint('two', 0, events),
    new DemoEndpoint('slow', SLOW_MS, events),
  ];
  const retire = () => endpoints.forEach((endpoint) => endpoint.retire());
  process.once('SIGTERM', retire).once('SIGINT', retire);
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-demo-'));
  try {
    await Promise.all(endpoints.map((endpoint) => endpoint.start()));
    const configFile = join(directory, 'pointsman.yaml');
    writeFileSync(configFile, demoConfig({ ...choices, endpoints }));
    const result = await loadConfig(configFile);
    if (!result.ok) {
      printIssues(terminal, result.issues);
      return EXIT.usage;
    }
    const { runSupervisor } = await import('../supervisor/run.ts');
    const file = { path: configFile, load: () => loadConfig(configFile) };
    const running = runSupervisor(result.config, { source: configFile, file });
    const adminUrl = urlOf(choices.admin);
    const failedToStart = running.then(() => false);
    if (await Promise.race([failedToStart, allHealthy(adminUrl)])) {
      const url = urlOf(choices.listen);
      terminal.out(instructions({ endpoints, url, adminUrl, program: programName(terminal), configFile }));
    }
    return await running;
  } finally {
    for (const endpoint of endpoints) endpoint.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Where a client on this machine reaches what listens on `address`. */
function urlOf({ host, port }: Address): string {
  const anyHost = host === '0.0.0.0' || host === '::';
  return `http://${formatAddress({ host: anyHost ? (host === '::' ? '::1' : '127.0.0.1') : host, port })}`;
}

/** How the user calls us: by name when we are on the path, else by the shorter of the two paths. */
function programName(terminal: Terminal): string {
  const path = join(import.meta.dir, '../../bin/pointsman');
  const onPath = Bun.which('pointsman');
  if (onPath !== null && realpathSync(onPath) === realpathSync(path)) {
    // npx puts us on a path that other terminals do not have.
    return terminal.environment?.['npm_command'] === 'exec' ? 'npx pointsman' : 'pointsman';
  }
  const near = relative(terminal.directory, path);
  return near.startsWith('..') ? path : `./${near}`;
}
