import { Command, InvalidArgumentError } from 'commander';

import { scenarios } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';

export interface BenchOptions {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  /** Rounds measured at most in place of those that others disturbed. */
  readonly extraRounds: number;
  /** Of one load, in a counted round. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly idleConnections: number;
  /** nginx and HAProxy add no headers, Pointsman runs with its defaults. */
  readonly plain: boolean;
  /** Names of proxies in lower case; undefined is all. */
  readonly only: readonly string[] | undefined;
  /** Another Pointsman executable to measure. */
  readonly binary: string | undefined;
  readonly jsonPath: string | undefined;
  readonly write: boolean;
}

interface Flags {
  readonly rounds?: number;
  readonly extraRounds?: number;
  readonly seconds?: number;
  readonly warmUp?: number;
  readonly connections: number;
  readonly idle?: number;
  readonly quick: boolean;
  readonly plain: boolean;
  readonly only?: string;
  readonly binary?: string;
  readonly json?: string;
  readonly write: boolean;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.');
  return Number(text);
}

function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`Known are: ${scenarios.map((scenario) => scenario.name).join(', ')}.`);
}

/** Reads the command line; prints help or what is wrong and ends the process when there is nothing to run. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('bench')
    .description('Measures nginx, HAProxy and Pointsman in one run and prints what a request costs in each.')
    .argument(
      '[scenario...]',
      `${scenarios.map((scenario) => scenario.name).join(', ')}; default: all`,
      (name: string, sofar: Scenario[]) => [...sofar, scenarioNamed(name)],
      [],
    )
    .option('--rounds <n>', 'counted rounds (7)', wholeNumber)
    .option(
      '--extra-rounds <n>',
      'more of them at most, in place of those that others disturbed (as many)',
      wholeNumber,
    )
    .option('--seconds <s>', 'length of one load in a round (4)', wholeNumber)
    .option('--warm-up <s>', 'length of the load before the first round (6)', wholeNumber)
    .option('--connections <n>', 'client connections under load', wholeNumber, 64)
    .option('--idle <n>', 'idle connections of that scenario (10000)', wholeNumber)
    .option('--quick', 'a rough look: 3 rounds of 1 second, 2000 idle connections', false)
    .option('--plain', 'nginx and HAProxy add no headers, Pointsman runs with its defaults', false)
    .option('--only <names>', 'proxies to measure, such as nginx,pointsman')
    .option('--binary <path>', 'the Pointsman executable to measure instead of this checkout')
    .option('--json <file>', 'write every sample to a file')
    .option('--write', 'put the tables into bench/RESULTS.md', false)
    .parse([...argv], { from: 'user' });
  const flags = command.opts<Flags>();
  const rounds = flags.rounds ?? (flags.quick ? 3 : 7);
  const chosen = command.processedArgs[0] as readonly Scenario[];
  return {
    scenarios: chosen.length > 0 ? chosen : scenarios,
    rounds,
    extraRounds: flags.extraRounds ?? (flags.quick ? 0 : rounds),
    seconds: flags.seconds ?? (flags.quick ? 1 : 4),
    warmUpSeconds: flags.warmUp ?? (flags.quick ? 2 : 6),
    connections: flags.connections,
    idleConnections: flags.idle ?? (flags.quick ? 2000 : 10_000),
    plain: flags.plain,
    only: flags.only?.toLowerCase().split(','),
    binary: flags.binary,
    jsonPath: flags.json,
    write: flags.write,
  };
}
