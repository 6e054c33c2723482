/**
 * What choosing a route costs, with ten routes and with ten thousand. Takes about two seconds:
 *   node_modules/.bin/bun bench/micro/router.ts
 */
import { route as routeSchema } from '../../src/config/schema/listener.ts';
import type { MatchConfig } from '../../src/config/schema/match.ts';
import { compileRoutes, type Router } from '../../src/l7/router.ts';
import type { RequestHead } from '../../src/model/message.ts';
import { requestHead } from '../../test/support/request-head.ts';

const CLIENT = '192.0.2.1';
const ROUNDS = 7;
const CALLS = 100_000;

function compile(matches: readonly (MatchConfig | undefined)[]): Router<string> {
  const configs = matches.map((match) => routeSchema.parse({ match, pool: 'p' }));
  return compileRoutes(configs, { pool: (name) => name, filter: () => ({ name: 'none' }) });
}

/** Nanoseconds of one call: the median of some rounds. */
function measure(router: Router<string>, requests: readonly RequestHead[]): number {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let call = 0; call < CALLS; call++) router.route(requests[call % requests.length]!, CLIENT);
    rounds.push(((performance.now() - start) * 1e6) / CALLS);
  }
  return rounds.slice(1).sort((a, b) => a - b)[ROUNDS >> 1]!;
}

const shapes: readonly {
  readonly name: string;
  readonly match: (index: number) => MatchConfig;
  readonly request: (index: number) => RequestHead;
}[] = [
  {
    name: 'path prefixes',
    match: (index) => ({ path: `/service-${index}/*` }),
    request: (index) => requestHead('GET', `/service-${index}/users/12345`, 'Host: www.example.com'),
  },
  {
    name: 'hosts',
    match: (index) => ({ host: `site-${index}.example.com` }),
    request: (index) => requestHead('GET', '/users/12345', `Host: site-${index}.example.com:8080`),
  },
  {
    name: 'wildcard hosts with a path and a method',
    match: (index) => ({ host: `*.site-${index}.example.com`, path: '/api/*', method: ['GET', 'POST'] }),
    request: (index) => requestHead('GET', '/api/users/12345', `Host: www.site-${index}.example.com`),
  },
];

process.stdout.write('ns per route() at                               10 routes   10000 routes\n');
for (const { name, match, request } of shapes) {
  const row = [10, 10_000].map((count) => {
    const router = compile(Array.from({ length: count }, (_, index) => match(index)));
    const requests = Array.from({ length: 10 }, (_, index) => request(Math.floor((index * count) / 10)));
    return measure(router, requests).toFixed(0);
  });
  process.stdout.write(`${name.padEnd(48)}${row[0]!.padStart(9)}${row[1]!.padStart(15)}\n`);
}
const only = measure(compile([undefined]), [requestHead('GET', '/')]);
process.stdout.write(`one route for everything${only.toFixed(0).padStart(33)}\n`);
