import { Command, CommanderError, Option } from 'commander';

import manifest from '../../package.json' with { type: 'json' };
import { changesCommand } from './changes.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { diffCommand } from './diff.ts';
import { disableCommand } from './disable.ts';
import { drainCommand } from './drain.ts';
import { enableCommand } from './enable.ts';
import { endpointsCommand } from './endpoints.ts';
import { EXIT } from './exit-code.ts';
import { explainCommand } from './explain.ts';
import { reloadCommand } from './reload.ts';
import { runCommand } from './run.ts';
import { schemaCommand } from './schema.ts';
import { statusCommand } from './status.ts';
import type { Terminal } from './terminal.ts';
import { upgradeCommand } from './upgrade.ts';
import { weightCommand } from './weight.ts';
import { wrongWord } from './wrong-word.ts';

/** In the order of the help. */
const COMMANDS = [
  runCommand,
  checkCommand,
  explainCommand,
  diffCommand,
  reloadCommand,
  upgradeCommand,
  statusCommand,
  drainCommand,
  enableCommand,
  disableCommand,
  weightCommand,
  endpointsCommand,
  changesCommand,
  schemaCommand,
  demoCommand,
];

/** A command and all below it, with their names as they are typed. */
function everyCommand(
  command: Command,
  name: string,
): { readonly command: Command; readonly name: string }[] {
  return [
    { command, name },
    ...command.commands.flatMap((inner) => everyCommand(inner, `${name} ${inner.name()}`)),
  ];
}

/** Runs one command line, without the name of the program. Resolves with the exit code; never exits by itself. */
export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.ok;
  const finish = (result: number) => {
    code = result;
  };
  const program = new Command('pointsman')
    .description('Pointsman, a load balancer for L4 and L7 that explains itself.')
    .version(manifest.version, '-V, --version', 'print the version')
    // Others print it by -v, and who types that wants nothing else.
    .addOption(new Option('-v').hideHelp())
    .on('option:v', () => {
      terminal.out(`${manifest.version}\n`);
      throw new CommanderError(0, 'commander.version', manifest.version);
    })
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText(
      'after',
      `
Examples:
  pointsman run --listen :8080 --to localhost:3000,localhost:3001
  pointsman check -c pointsman.yaml
  pointsman run -c pointsman.yaml
  pointsman explain GET http://example.com/api
  pointsman schema tls`,
    );
  for (const make of COMMANDS) program.addCommand(make(terminal, finish));
  for (const { command, name } of everyCommand(program, program.name())) {
    command
      .exitOverride()
      .showHelpAfterError(`Run "${name} --help" for help.`)
      .configureOutput({
        writeOut: (text) => terminal.out(text),
        writeErr: (text) => terminal.err(text),
        getOutHasColors: () => terminal.outColor,
        getErrHasColors: () => terminal.errColor,
      });
  }
  const wrong = wrongWord(words, program);
  if (wrong !== undefined) {
    terminal.err(`error: ${wrong}\n`);
    return EXIT.usage;
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
