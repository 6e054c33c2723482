/**
 * Words of other load balancers, with ours. They are never accepted, only recognised, so that the error can say
 * what to write. Compared without case and separators.
 */
const OURS: Readonly<Record<string, string>> = {
  algorithm: 'policy',
  backend: 'pool',
  backends: 'pools',
  balance: 'policy',
  bind: 'address',
  clusters: 'pools',
  drain: 'draining',
  entrypoints: 'listeners',
  ewma: 'least-response-time',
  frontends: 'listeners',
  healthcheck: 'healthCheck',
  hosts: 'endpoints',
  lbpolicy: 'policy',
  leastconn: 'least-connections',
  leastrequest: 'least-connections',
  leastrequests: 'least-connections',
  leasttime: 'least-response-time',
  listen: 'address',
  loadbalancing: 'policy',
  maxconn: 'maxConnections',
  maxconns: 'maxConnections',
  middlewares: 'filters',
  nodes: 'endpoints',
  p2c: 'random-two',
  peakewma: 'least-response-time',
  poweroftwochoices: 'random-two',
  retries: 'retry',
  rules: 'routes',
  servers: 'endpoints',
  source: 'ip-hash',
  sticky: 'affinity',
  targets: 'endpoints',
  tries: 'attempts',
  upstream: 'pool',
  upstreams: 'pools',
  url: 'address',
  wrr: 'round-robin',
};

/** Our word for one of another load balancer, when it is one of `candidates`. */
export function ourWord(word: string, candidates: readonly string[]): string | undefined {
  const plain = word.toLowerCase().replaceAll(/[-_ .]/g, '');
  const ours = Object.hasOwn(OURS, plain) ? OURS[plain] : undefined;
  if (ours === undefined) return undefined;
  if (candidates.includes(ours)) return ours;
  // A pool is "pools" at the top and "pool" in a route; so with the words of others.
  return candidates.find((candidate) => candidate === `${ours}s` || `${candidate}s` === ours);
}
