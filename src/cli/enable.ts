import type { Command } from 'commander';

import { stateCommand } from './change-endpoint.ts';
import type { Terminal } from './terminal.ts';

/** `pointsman enable`: an endpoint takes part again. */
export function enableCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return stateCommand(
    {
      name: 'enable',
      state: 'enabled',
      description: 'let an endpoint take part again, after drain or disable',
      wait: 'return when it takes traffic, that is, when its health allows it',
      deadline: undefined,
      help: `Exit code: 0 when done (with --wait: open), 1 when it cannot be done, 2 when the command line is wrong.

Example:
  pointsman enable web/10.0.0.1:3000 --wait`,
    },
    terminal,
    finish,
  );
}
