import { Command } from 'commander';

import type { ListenerReport } from '../admin/listener-report.ts';
import type { PoolReport } from '../admin/pool-report.ts';
import { type ConfigChange, diffConfigs, formatChange } from '../config/diff.ts';
import type { Config } from '../config/schema/config.ts';
import { type AdminOptions, printJson, withAdmin } from './admin-options.ts';
import { effectOf, type LiveReports, type Touched, touchedBy } from './diff-effect.ts';
import { EXIT } from './exit-code.ts';
import { counted, printIssues } from './issues.ts';
import { loadSource } from './source.ts';
import { styled, type Terminal } from './terminal.ts';

/** Exit codes of diff(1), which scripts know. */
const SAME = 0;
const DIFFERENT = 1;

interface DiffOptions {
  readonly admin?: string;
  readonly token?: string;
  readonly json?: true;
}

/** How many objects stay as they are, of all that both have or one has. */
interface Kept {
  readonly listeners: number;
  readonly pools: number;
  readonly endpoints: number;
}

/** `pointsman diff`: what a reload from one configuration to the other would touch; nothing is changed. */
export function diffCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('diff')
    .description('say what a change of the configuration touches, and change nothing')
    .argument('<a>', 'configuration before: YAML, JSON or TypeScript')
    .argument('<b>', 'configuration after')
    .option('--admin <place>', 'count what is under way in a running instance: host:port, URL or unix:/path')
    .option('--token <token>', 'token for it (default: $POINTSMAN_TOKEN, then that of configuration <a>)')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Exit code: 0 when both say the same, 1 when they differ, 2 when one of them is wrong or --admin does
not answer.

Examples:
  pointsman diff pointsman.yaml new.yaml
  pointsman diff /etc/pointsman/pointsman.yaml new.yaml --admin 127.0.0.1:9900 --json`,
    )
    .action(async (a: string, b: string, options: DiffOptions) => {
      const [before, after] = [await loadSource(terminal, a), await loadSource(terminal, b)];
      for (const { source, result } of [before, after]) {
        if (result.ok) continue;
        printIssues(terminal, result.issues);
        terminal.err(`${source}: ${counted(result.issues.length, 'problem')}\n`);
      }
      if (!before.result.ok || !after.result.ok) return finish(EXIT.usage);
      const live =
        options.admin === undefined ? undefined : await askLive(terminal, { ...options, config: a });
      if (live === 'failed') return finish(EXIT.usage);
      const changes = diffConfigs(before.result.config, after.result.config);
      const kept = keptOf(before.result.config, changes);
      if (options.json === true) printJson(terminal, { kept, changes: changes.map(reported(live)) });
      else print(terminal, changes, kept, live);
      finish(changes.length === 0 ? SAME : DIFFERENT);
    });
}

async function askLive(terminal: Terminal, options: AdminOptions): Promise<LiveReports | 'failed'> {
  let live: LiveReports | undefined;
  await withAdmin(terminal, options, async (client) => {
    const [listeners, pools] = await Promise.all([
      client.ask('GET', '/api/v1/listeners'),
      client.ask('GET', '/api/v1/pools'),
    ]);
    live = {
      listeners: (listeners.body as { readonly listeners: readonly ListenerReport[] }).listeners,
      pools: (pools.body as { readonly pools: readonly PoolReport[] }).pools,
    };
    return EXIT.ok;
  });
  return live ?? 'failed';
}

function reported(live: LiveReports | undefined) {
  return (change: ConfigChange) => ({
    ...change,
    effect: effectOf(change),
    touches: live === undefined ? null : (touchedBy(change, live) ?? null),
  });
}

/** What is in both and the same, its routes or endpoints included. */
function keptOf(before: Config, changes: readonly ConfigChange[]): Kept {
  const named = new Set<string>();
  for (const { object, name, change } of changes) {
    if (change === 'added' && (object === 'listener' || object === 'pool')) continue;
    const owner = object === 'route' ? 'listener' : object === 'endpoint' ? 'pool' : object;
    named.add(`${owner} ${name.split('/', 1)[0]}`);
    named.add(`${object} ${name}`);
  }
  const gone = (object: string, name: string): boolean => named.has(`${object} ${name}`);
  const removed = new Set(
    changes.filter(({ object, change }) => object === 'pool' && change === 'removed').map(({ name }) => name),
  );
  const endpoints = before.pools
    .filter(({ name }) => !removed.has(name))
    .flatMap((pool) => pool.endpoints.map(({ name }) => `${pool.name}/${name}`));
  return {
    listeners: before.listeners.filter(({ name }) => !gone('listener', name)).length,
    pools: before.pools.filter(({ name }) => !gone('pool', name)).length,
    endpoints: endpoints.filter((name) => !gone('endpoint', name)).length,
  };
}

const SIGNS = { added: '+', removed: '-', changed: '~', moved: '~' } as const;
const COLORS = { added: 'green', removed: 'red', changed: 'yellow', moved: 'yellow' } as const;

function print(
  terminal: Terminal,
  changes: readonly ConfigChange[],
  kept: Kept,
  live: LiveReports | undefined,
): void {
  for (const change of changes) {
    const line = `${SIGNS[change.change]} ${formatChange({ ...change, restart: false })}`;
    terminal.out(`${styled(COLORS[change.change], line, terminal.outColor)}\n    ${effectOf(change)}\n`);
    const touched = live === undefined ? undefined : touchedBy(change, live);
    if (touched !== undefined) terminal.out(`    now: ${touchedText(change, touched)}\n`);
  }
  const untouched = [
    counted(kept.listeners, 'listener'),
    counted(kept.pools, 'pool'),
    counted(kept.endpoints, 'endpoint'),
  ];
  terminal.out(`${changes.length === 0 ? 'no difference' : counted(changes.length, 'change')}; `);
  terminal.out(`${untouched.join(', ')} untouched\n`);
}

function touchedText({ object }: ConfigChange, { connections, requests, tunnels }: Touched): string {
  const parts = [counted(connections, 'connection'), counted(tunnels, 'tunnel')];
  if (object !== 'listener') parts.push(`${counted(requests, 'request')} under way`);
  return parts.join(', ');
}
