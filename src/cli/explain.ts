import { hostname } from 'node:os';

import { Command } from 'commander';

import { formatAddress } from '../config/schema/address.ts';
import { type HttpListenerConfig, isHttp, type ListenerConfig } from '../config/schema/listener.ts';
import { canonicalIp } from '../util/ip.ts';
import { EXIT } from './exit-code.ts';
import { fetchLiveState } from './explain-live.ts';
import { type AskedRequest, askedRequest } from './explain-request.ts';
import { counted, printIssues } from './issues.ts';
import { loadSource } from './source.ts';
import type { Terminal } from './terminal.ts';

interface ExplainOptions {
  readonly header: readonly string[];
  readonly from: string;
  readonly config?: string;
  readonly listener?: string;
  readonly admin?: string;
  readonly json?: true;
}

/** The listener that a client would reach; a text that says what is missing when that is not clear. */
function chooseListener(
  listeners: readonly ListenerConfig[],
  named: string | undefined,
  { port }: AskedRequest,
): HttpListenerConfig | string {
  const http = listeners.filter(isHttp);
  const all = http.map(({ name, address }) => `${name} (${formatAddress(address)})`).join(', ');
  if (http.length === 0) return 'no listener speaks HTTP';
  const other = listeners.find(({ name }) => name === named);
  if (other !== undefined && !isHttp(other))
    return `listener ${named} speaks ${other.protocol}: there are no requests`;
  if (named !== undefined) {
    return (
      http.find(({ name }) => name === named) ??
      `there is no listener ${JSON.stringify(named)}; there is ${all}`
    );
  }
  const fitting = http.filter(({ address }) => address.port === port);
  const candidates = fitting.length > 0 ? fitting : http;
  return candidates.length === 1
    ? candidates[0]!
    : `which listener is meant? Name one with --listener, or a port in the URL: ${all}`;
}

/** `pointsman explain`: what would happen to a request, and why; nothing is sent. */
export function explainCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('explain')
    .description('say where a request would go, and why; nothing is sent')
    .argument('<method>', 'request method, such as GET')
    .argument('<url>', 'URL as a client would ask for it, or a path')
    .option(
      '-H, --header <line>',
      "header line, such as 'Cookie: a=b' (may be repeated)",
      (line: string, before: readonly string[]) => [...before, line],
      [] as readonly string[],
    )
    .option('--from <ip>', 'address that connects', '127.0.0.1')
    .option(
      '-c, --config <file>',
      'configuration: YAML, JSON or TypeScript (default: pointsman.yaml and others)',
    )
    .option('--listener <name>', 'listener that gets the request (default: the one of the port in the URL)')
    .option('--admin <url>', 'take the state of the endpoints from a running instance')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
The answer comes from the code that serves traffic. Without --admin, every endpoint that the file
enables counts as usable and idle. Policies that draw lots draw the same each time here.

Exit code: 0 when there is an answer, 1 when --admin does not answer, 2 when the question or the
configuration is wrong.

Examples:
  pointsman explain GET http://example.com/api/users
  pointsman explain POST /login -H 'Host: example.com' -H 'Cookie: beta=1' --from 192.0.2.7
  pointsman explain GET / -c /etc/pointsman/pointsman.yaml --listener web --json
  pointsman explain GET /api --admin http://127.0.0.1:9900`,
    )
    .action(async (method: string, url: string, options: ExplainOptions, command: Command) => {
      const asked = askedRequest(method, url, options.header);
      if (typeof asked === 'string') return command.error(`error: ${asked}`);
      const from = canonicalIp(options.from);
      if (from === undefined)
        return command.error(`error: ${JSON.stringify(options.from)} is not an IP address`);
      const { source, result } = await loadSource(terminal, options.config);
      if (!result.ok) {
        printIssues(terminal, result.issues);
        terminal.err(`${source}: ${counted(result.issues.length, 'problem')}\n`);
        return finish(EXIT.usage);
      }
      const listener = chooseListener(result.config.listeners, options.listener, asked);
      if (typeof listener === 'string') return command.error(`error: ${listener}`);
      const { admin } = result.config;
      const live =
        options.admin === undefined
          ? undefined
          : await fetchLiveState(options.admin, admin === false ? undefined : admin.token);
      if (typeof live === 'string') {
        terminal.err(`error: ${live}\n`);
        return finish(EXIT.failure);
      }
      // Loaded only here, so that the other commands start fast.
      const [{ decide }, { decisionText }] = await Promise.all([
        import('./explain-decision.ts'),
        import('./explain-text.ts'),
      ]);
      const situation = { listener, peerIp: from, instance: hostname(), live };
      const decision = decide(result.config, asked, situation);
      terminal.out(
        options.json === true
          ? `${JSON.stringify(decision, undefined, 2)}\n`
          : decisionText(decision, terminal.outColor),
      );
    });
}
