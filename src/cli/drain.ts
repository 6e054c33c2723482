import type { Command } from 'commander';

import { stateCommand } from './change-endpoint.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman drain`: no new work for an endpoint, what it has goes on. */
export function drainCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return stateCommand(
    {
      name: 'drain',
      state: 'draining',
      description: 'give an endpoint no new clients; those bound to it (sticky sessions) stay',
      wait: 'return when nothing is under way on it any more',
      deadline:
        'then bound clients go elsewhere, its tunnels and sessions are closed, such as 60s (default: never)',
      help: `Exit code: 0 when done (with --wait: empty), 1 when it cannot be done, 2 when the command line is
wrong, 3 when something was still under way at the deadline.

Examples:
  pointsman drain web/10.0.0.1:3000
  pointsman drain web/10.0.0.1:3000 --wait --deadline 60s`,
    },
    terminal,
    finish,
  );
}
