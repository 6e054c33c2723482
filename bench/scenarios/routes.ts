import { routePath } from '../proxies/proxy.ts';
import { runWrk } from '../wrk.ts';
import type { Case, Scenario } from './scenario.ts';

/** Different requests that are sent in turn, spread over all routes. */
const REQUESTS = 1000;

/** Requests to `REQUESTS` routes, evenly spread and then shuffled by a fixed stride, made before the load starts. */
function script(routeCount: number): string {
  const paths = Array.from({ length: REQUESTS }, (_, index) => {
    const place = (index * 617) % REQUESTS;
    return `"${routePath(Math.floor((place * routeCount) / REQUESTS))}item?id=${index}"`;
  });
  return `
local paths = { ${paths.join(', ')} }
local requests, next = {}, 0
function init()
  for index, path in ipairs(paths) do requests[index] = wrk.format("GET", path) end
end
function request()
  next = next % #requests + 1
  return requests[next]
end
`;
}

function routed(title: string, routeCount: number): Case {
  const lua = script(routeCount);
  return {
    title,
    routeCount,
    load: (target) => runWrk({ ...target, path: '/', script: lua }, target.workspace),
  };
}

export const routes: Scenario = {
  name: 'routes',
  about: 'Small keep-alive requests spread over path-prefix routes, 10 of them and 10 000 of them.',
  cases: [routed('10 routes', 10), routed('10 000 routes', 10_000)],
};
