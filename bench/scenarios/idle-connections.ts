import { join } from 'node:path';

import { pinned } from '../machine.ts';
import { closedLoop } from './keep-alive.ts';
import type { Held, Scenario, Target } from './scenario.ts';

/** How long a helper may take to open its connections, or to answer. */
const PATIENCE_MS = 60_000;

/** Holds connections that lie idle, each after one request. */
export async function hold(target: Target): Promise<Held> {
  const child = target.workspace.converse(
    pinned('load', [
      process.execPath,
      join(import.meta.dir, '../idle-clients.ts'),
      String(target.port),
      String(target.idleConnections),
    ]),
  );
  const timer = setTimeout(() => target.workspace.stop(child), PATIENCE_MS);
  const words = child.stdout[Symbol.asyncIterator]();
  const count = await readCount(words, 'ready');
  clearTimeout(timer);
  return {
    count,
    release: async () => {
      await child.stdin.end();
      const open = await readCount(words, 'open');
      target.workspace.stop(child);
      return open;
    },
  };
}

async function readCount(words: AsyncIterator<Uint8Array>, word: string): Promise<number> {
  const { value } = await words.next();
  const said = new TextDecoder().decode(value);
  const match = new RegExp(`^${word} (\\d+)\\n$`).exec(said);
  if (match === null) throw new Error(`the process that holds idle connections said "${said.trim()}"`);
  return Number(match[1]);
}

export const idleConnections: Scenario = {
  name: 'idle-connections',
  about: 'Small keep-alive requests, alone and beside thousands of client connections that lie idle.',
  cases: [
    { title: 'no idle connections', routeCount: 0, load: closedLoop },
    { title: 'beside idle connections', routeCount: 0, load: closedLoop, hold },
  ],
};
