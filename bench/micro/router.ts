/**
 * What choosing a route costs, with ten routes and with ten thousand, of which a thousand are asked for in turn. `other work` is
 * memory that is read between two requests, as serving them does: what a router needs has to come back from far then. Takes
 * about ten seconds:
 *   node_modules/.bin/bun bench/micro/router.ts
 */
import { route as routeSchema } from '../../src/config/schema/listener.ts';
import type { MatchConfig } from '../../src/config/schema/match.ts';
import { compileRoutes, type Router } from '../../src/l7/router.ts';
import type { RequestHead } from '../../src/model/message.ts';
import { requestHead } from '../../test/support/request-head.ts';

const CLIENT = '192.0.2.1';
const ROUNDS = 9;
const CALLS = 50_000;
const REQUESTS = 1000;
/** Read between two requests, a piece of this memory after the other. */
const OTHER_MEMORY = new Int32Array(16 << 18);
const OTHER_WORDS = 2048;

function compile(matches: readonly (MatchConfig | undefined)[]): Router<string> {
  const configs = matches.map((match) => routeSchema.parse({ match, pool: 'p' }));
  return compileRoutes(configs, { pool: (name) => name, filter: () => ({ name: 'none' }) });
}

let otherAt = 0;
let otherSum = 0;

/** Reads 8 KiB, a word of each line of memory. */
function work(): void {
  for (let word = 0; word < OTHER_WORDS; word += 16) otherSum += OTHER_MEMORY[otherAt + word]!;
  otherAt = (otherAt + OTHER_WORDS) % OTHER_MEMORY.length;
}

/** Nanoseconds of a round: of work and one call each, or of the work alone. */
function round(router: Router<string> | undefined, requests: readonly RequestHead[], works: boolean): number {
  const start = performance.now();
  for (let call = 0; call < CALLS; call++) {
    if (works) work();
    router?.route(requests[call % requests.length]!, CLIENT);
  }
  return ((performance.now() - start) * 1e6) / CALLS;
}

/** Nanoseconds of one call: the smallest of some rounds. */
function measure(router: Router<string>, requests: readonly RequestHead[], works: boolean): number {
  let least = Number.POSITIVE_INFINITY;
  let leastWork = Number.POSITIVE_INFINITY;
  for (let at = 0; at < ROUNDS; at++) {
    least = Math.min(least, round(router, requests, works));
    if (works) leastWork = Math.min(leastWork, round(undefined, requests, works));
  }
  return works ? least - leastWork : least;
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
    name: 'hosts with ten paths each',
    match: (index) => ({ host: `site-${(index / 10) | 0}.example.com`, path: `/part-${index % 10}/*` }),
    request: (index) =>
      requestHead('GET', `/part-${index % 10}/users/12345`, `Host: site-${(index / 10) | 0}.example.com`),
  },
  {
    name: 'wildcard hosts with a path and a method',
    match: (index) => ({ host: `*.site-${index}.example.com`, path: '/api/*', method: ['GET', 'POST'] }),
    request: (index) => requestHead('GET', '/api/users/12345', `Host: www.site-${index}.example.com`),
  },
];

process.stdout.write(
  'ns per route() at                        10 routes   10 000   other work: 10 routes   10 000\n',
);
for (const { name, match, request } of shapes) {
  const figures = [false, true].flatMap((works) =>
    [10, 10_000].map((count) => {
      const router = compile(Array.from({ length: count }, (_, index) => match(index)));
      const requests = Array.from({ length: REQUESTS }, (_, index) =>
        request(Math.floor((((index * 617) % REQUESTS) * count) / REQUESTS)),
      );
      return measure(router, requests, works).toFixed(0);
    }),
  );
  const [few, many, fewBeside, manyBeside] = figures;
  process.stdout.write(
    `${name.padEnd(41)}${few!.padStart(9)}${many!.padStart(9)}${fewBeside!.padStart(24)}${manyBeside!.padStart(9)}\n`,
  );
}
process.stdout.write(
  `one route for everything${measure(compile([undefined]), [requestHead('GET', '/')], false)
    .toFixed(0)
    .padStart(26)}\n`,
);
if (otherSum !== 0) throw new Error('the other memory is not empty');
