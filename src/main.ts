import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

const code = await runCommandLine(process.argv.slice(2), processTerminal());
// Exit only when all that was written has left: a pipe takes its time.
await new Promise((written) => process.stdout.write('', written));
process.exit(code);
