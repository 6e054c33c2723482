import type { Command } from 'commander';

import { plainPath, referenceSections, sectionsCalled } from '../config/reference.ts';

const CHECK = 'pointsman check -c FILE says what is wrong with a configuration';
const RUN = 'pointsman run -c FILE starts it, pointsman demo shows it with endpoints of its own';
const STOP = 'Ctrl-C or SIGTERM stops it in order; under systemd: systemctl stop pointsman';
const STATUS =
  'pointsman status shows what a running instance does; /metrics of its admin listener has all figures';

/** What people type first who come from elsewhere, with what to do here. Only recognised, never accepted. */
const INSTEAD: Readonly<Record<string, string>> = {
  add: 'pointsman endpoints add POOL ADDRESS adds an endpoint to a running instance',
  configtest: CHECK,
  config: 'pointsman schema says what a configuration can say',
  import:
    'configurations of others are not converted; docs/guide/coming-from-another-balancer.md has their words and ours',
  init: 'pointsman run --listen :8080 --to localhost:3000 needs no file; docs/guide/first-ten-minutes.md has one to begin with',
  list: STATUS,
  log: 'the log is written to stderr; under systemd: journalctl -u pointsman',
  logs: 'the log is written to stderr; under systemd: journalctl -u pointsman',
  metrics: 'curl http://127.0.0.1:9900/metrics asks the admin listener for them',
  remove: 'pointsman endpoints remove POOL/ENDPOINT takes an endpoint out of a running instance',
  restart: 'pointsman reload takes over a changed file, pointsman upgrade another version; nobody is cut off',
  route: 'pointsman explain GET http://example.com/ -c FILE says where a request goes, and why',
  serve: RUN,
  show: STATUS,
  start: RUN,
  stats: STATUS,
  stop: STOP,
  quit: STOP,
  test: CHECK,
  top: STATUS,
  validate: CHECK,
  verify: CHECK,
  version: 'pointsman --version prints it',
  '-t': CHECK,
  '-T': CHECK,
  '-c': 'pointsman run -c FILE starts it, pointsman check -c FILE checks it',
  '--config': 'pointsman run -c FILE starts it, pointsman check -c FILE checks it',
  '-f': 'pointsman run -c FILE starts it, pointsman check -c FILE checks it',
  '-s': 'pointsman reload takes over a changed file; Ctrl-C or SIGTERM stops it in order',
};

/** The commands that take a configuration by -c and nothing else. */
const WITH_FILE = new Set(['check', 'reload', 'run']);

/**
 * What to do instead, for a command line that can only be a mistake and that we recognise. Undefined for all others, right or
 * wrong.
 */
export function wrongWord(words: readonly string[], program: Command): string | undefined {
  const [first = '', second = ''] = words;
  const isCommand = (word: string) => program.commands.some((command) => command.name() === word);
  if (first === 'help' && second !== '' && !isCommand(second)) return wrongTopic(second);
  if (!isCommand(first) && Object.hasOwn(INSTEAD, first)) {
    const what = first.startsWith('-') ? 'option' : 'command';
    return `unknown ${what} '${first}'\n${INSTEAD[first]}`;
  }
  if (WITH_FILE.has(first) && words.length === 2 && /^[^-].*\.(?:ya?ml|json|[cm]?[jt]s)$/.test(second))
    return `a configuration is named with -c\nWrite: pointsman ${first} -c ${second}`;
  return undefined;
}

/** `pointsman help tls`: perhaps a part of the configuration. */
function wrongTopic(word: string): string | undefined {
  const sections = sectionsCalled(referenceSections(), word);
  if (sections.length === 0) return undefined;
  const commands = [...new Set(sections.map((section) => `  pointsman schema ${plainPath(section)}`))];
  return `unknown command '${word}'\nWhat a configuration can say of it:\n${commands.join('\n')}`;
}
