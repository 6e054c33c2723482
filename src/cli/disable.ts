import type { Command } from 'commander';

import { stateCommand } from './change-endpoint.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman disable`: nothing new for an endpoint, from nobody. */
export function disableCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return stateCommand(
    {
      name: 'disable',
      state: 'disabled',
      description: 'give an endpoint no new requests at all; those under way finish',
      wait: 'return when nothing is under way on it any more',
      deadline: 'then its tunnels and sessions are closed, such as 60s (default: never)',
      help: `Exit code: 0 when done (with --wait: empty), 1 when it cannot be done, 2 when the command line is
wrong, 3 when something was still under way at the deadline.

Example:
  pointsman disable web/10.0.0.1:3000 --wait --deadline 30s`,
    },
    terminal,
    finish,
  );
}
