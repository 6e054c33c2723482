import { hostname } from 'node:os';

import { Command } from 'commander';

import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import { type HttpListenerConfig, isHttp, type ListenerConfig } from '../config/schema/listener.ts';
import type { TlsGreeting } from '../l4/tls-router.ts';
import { canonicalIp } from '../util/ip.ts';
import { EXIT } from './exit-code.ts';
import type { Decision } from './explain-decision.ts';
import { fetchLiveState, type LiveState } from './explain-live.ts';
import { type AskedRequest, askedRequest } from './explain-request.ts';
import { type Peer, sessionListener } from './explain-listener.ts';
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
  readonly sni: string;
  readonly alpn: string;
}

/** The listener that a client would reach; a text that says what is missing when that is not clear. */
function chooseListener(
  listeners: readonly ListenerConfig[],
  named: string | undefined,
  { port, secure }: AskedRequest,
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
  // A path alone says neither port nor scheme.
  const alike = port === undefined ? http : http.filter(({ tls }) => (tls !== undefined) === secure);
  if (alike.length === 0) return `no listener speaks ${secure ? 'TLS' : 'plain HTTP'}; there is ${all}`;
  const fitting = alike.filter(({ address }) => address.port === port);
  const candidates = fitting.length > 0 ? fitting : alike;
  return candidates.length === 1
    ? candidates[0]!
    : `which listener is meant? Name one with --listener, or a port in the URL: ${all}`;
}

/** A question that can be answered, once the state of the endpoints is known. */
type Question = (live: LiveState | undefined) => Promise<Decision>;

function requestQuestion(
  config: Config,
  asked: AskedRequest,
  named: string | undefined,
  peerIp: string,
): Question | string {
  const listener = chooseListener(config.listeners, named, asked);
  if (typeof listener === 'string') return listener;
  return async (live) => {
    const { decide } = await import('./explain-decision.ts');
    return decide(config, asked, { listener, peerIp, instance: hostname(), live });
  };
}

function sessionQuestion(
  config: Config,
  protocol: 'tcp' | 'udp',
  name: string,
  client: Peer,
  greeting: TlsGreeting,
): Question | string {
  const listener = sessionListener(config.listeners, protocol, name);
  if (typeof listener === 'string') return listener;
  return async (live) => {
    const { decideSession } = await import('./explain-session.ts');
    return decideSession(config, listener, client, live, greeting);
  };
}

/** `192.0.2.7`, `192.0.2.7:4000`, `2001:db8::7`, `[2001:db8::7]:4000`; undefined when it is none of them. */
function peerOf(text: string): Peer | undefined {
  const whole = canonicalIp(text);
  if (whole !== undefined) return { ip: whole, port: undefined };
  const parts = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const ip = canonicalIp(parts?.[1] ?? parts?.[2] ?? '');
  return ip === undefined ? undefined : { ip, port: Number(parts![3]) };
}

/** What the client says by TLS, spelt as it is read. */
function greetingOf({ sni, alpn }: ExplainOptions): TlsGreeting {
  return {
    serverName: sni.toLowerCase().replace(/\.$/, ''),
    alpn: alpn.split(',').filter((protocol) => protocol !== ''),
  };
}

/** `pointsman explain`: what would happen to a request, and why; nothing is sent. */
export function explainCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('explain')
    .description('say where a request would go, and why; nothing is sent')
    .argument('<method>', 'request method, such as GET; or tcp, udp')
    .argument('<url>', 'URL as a client would ask for it, or a path; or the name of a tcp or udp listener')
    .option(
      '-H, --header <line>',
      "header line, such as 'Cookie: a=b' (may be repeated)",
      (line: string, before: readonly string[]) => [...before, line],
      [] as readonly string[],
    )
    .option('--from <ip>', 'address that connects; for tcp and udp also with its port', '127.0.0.1')
    .option(
      '-c, --config <file>',
      'configuration: YAML, JSON or TypeScript (default: pointsman.yaml and others)',
    )
    .option('--listener <name>', 'listener that gets the request (default: the one of the port in the URL)')
    .option('--sni <name>', 'for tcp: name that the client asks for by TLS', '')
    .option('--alpn <protocols>', 'for tcp: protocols that the client offers by TLS, with commas', '')
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
  pointsman explain GET /api --admin http://127.0.0.1:9900
  pointsman explain tcp postgres --from 192.0.2.7
  pointsman explain tcp tls --sni api.example.com --alpn h2`,
    )
    .action(async (method: string, url: string, options: ExplainOptions, command: Command) => {
      const protocol = method === 'tcp' || method === 'udp' ? method : undefined;
      const asked = protocol === undefined ? askedRequest(method, url, options.header) : undefined;
      if (typeof asked === 'string') return command.error(`error: ${asked}`);
      const from = peerOf(options.from);
      if (from === undefined)
        return command.error(`error: ${JSON.stringify(options.from)} is not an IP address`);
      const { source, result } = await loadSource(terminal, options.config);
      if (!result.ok) {
        printIssues(terminal, result.issues);
        terminal.err(`${source}: ${counted(result.issues.length, 'problem')}\n`);
        return finish(EXIT.usage);
      }
      const { config } = result;
      const question =
        asked === undefined
          ? sessionQuestion(config, protocol!, url, from, greetingOf(options))
          : requestQuestion(config, asked, options.listener, from.ip);
      if (typeof question === 'string') return command.error(`error: ${question}`);
      const { admin } = config;
      const live =
        options.admin === undefined
          ? undefined
          : await fetchLiveState(options.admin, admin === false ? undefined : admin.token);
      if (typeof live === 'string') {
        terminal.err(`error: ${live}\n`);
        return finish(EXIT.failure);
      }
      // Loaded only here, so that the other commands start fast.
      const { decisionText } = await import('./explain-text.ts');
      const decision = await question(live);
      terminal.out(
        options.json === true
          ? `${JSON.stringify(decision, undefined, 2)}\n`
          : decisionText(decision, terminal.outColor),
      );
    });
}
