/**
 * Keys that people write who come from other load balancers, or guess, and for which one word of ours is no answer. They are never
 * accepted, only recognised. A key is written as in the file, plain (lower case, no separators), behind the list or map it
 * stands in; `*` is anywhere.
 */
export const ADVICE: Readonly<Record<string, string>> = {
  '.http': 'listeners and pools stand at the top, with nothing around them',
  '.stream': 'listeners and pools stand at the top; a listener with protocol: tcp or udp is what you want',
  '.staticresources': 'listeners and pools stand at the top, with nothing around them',
  '.events': 'there is nothing to set of this kind; workers is a key at the top',
  '.global': 'what holds for all stands at the top: workers, admin, log, accessLog, shutdown',
  '.defaults': 'each key has a default; YAML anchors, or pointsman.config.ts, share values of your own',
  '.server': 'a server block is an item of listeners, its locations are the routes',
  '.apps': 'listeners and pools stand at the top, with nothing around them',
  'listeners.pool':
    'write routes: [ { pool: NAME } ]; listeners with protocol: tcp or udp say pool themselves',
  'listeners.port': 'write it in address: ":8080"',
  'listeners.host':
    'write it in address: "127.0.0.1:8080"; for requests, match: { host: example.com } of a route',
  'listeners.hosts': 'write match: { host: [example.com, www.example.com] } in a route',
  'listeners.servername': 'write match: { host: example.com } in a route',
  'listeners.accesslog': 'accessLog stands at the top of the file, for all listeners',
  'listeners.locations': 'write routes: [ { match: { path: /api/* }, pool: NAME } ]',
  'listeners.redirecttohttps': 'write routes: [ { redirect: { scheme: https } } ]',
  'listeners.redirectscheme': 'write routes: [ { redirect: { scheme: https } } ]',
  'routes.timeouts': 'timeouts are those of a pool, or of a listener; pools may have the same endpoints',
  'routes.timeout': 'timeouts are those of a pool, or of a listener; pools may have the same endpoints',
  'routes.retry': 'retry is a key of a pool; pools may have the same endpoints',
  'routes.tls': 'tls is a key of a listener, and of a pool for its endpoints',
  'routes.weight': 'write split: [ { pool: a, weight: 95 }, { pool: b, weight: 5 } ]',
  'match.regex':
    'paths are matched exactly or by their beginning (/api/*); headers, cookies and query can have regex',
  'match.prefix': 'write path: /api/*',
  'match.pathprefix': 'write path: /api/*',
  'pools.keepalive':
    'connections are kept for reuse anyway: maxIdleConnections and timeouts: { idle: 4s } say how many and for how long',
  'pools.maxfails': 'write outlierDetection: { consecutiveFailures: 5, ejectFor: 30s }',
  'pools.failtimeout': 'write outlierDetection: { consecutiveFailures: 5, ejectFor: 30s }',
  'pools.connecttimeout': 'write timeouts: { connect: 2s }',
  'pools.readtimeout': 'write timeouts: { response: 30s }',
  'pools.hashkey': 'write hash: { key: client-ip }',
  'pools.mode': 'write protocol: tcp in the listener that uses the pool',
  'endpoints.backup': 'write priority: 1; those with priority: 0, the default, come first',
  'endpoints.down': 'write state: disabled',
  'endpoints.check': 'write healthCheck: { http: { path: /health } } in the pool',
  'endpoints.maxfails': 'write outlierDetection: { consecutiveFailures: 5, ejectFor: 30s } in the pool',
  'endpoints.failtimeout': 'write outlierDetection: { consecutiveFailures: 5, ejectFor: 30s } in the pool',
  'endpoints.port': 'write address: 10.0.0.1:3000',
  'endpoints.host': 'write address: 10.0.0.1:3000',
  'endpoints.scheme': 'write address: 10.0.0.1:3000, and tls: {} in the pool for https',
  'tls.cert': 'write certificates: [ { cert: example.com.pem, key: example.com.key } ]',
  'tls.key': 'write certificates: [ { cert: example.com.pem, key: example.com.key } ]',
  'tls.certificate': 'write certificates: [ { cert: example.com.pem, key: example.com.key } ]',
  'tls.certresolver':
    'write acme: [example.com]; at the top of the file acme: { email: you@example.com } says from whom',
  'filters.basicauth':
    'clients are not asked who they are; tls: { clientCertificate: ... } of a listener asks for certificates',
  'filters.cors': 'the filter headers can set fields of responses',
  'filters.allow':
    'write match: { from: [10.0.0.0/8] } in a route, and after it one with reply: { status: 403 }',
  'filters.deny':
    'write a route with match: { from: [10.0.0.0/8] } and reply: { status: 403 } before the others',
  'filters.ipallowlist':
    'write match: { from: [10.0.0.0/8] } in a route, and after it one with reply: { status: 403 }',
  '*.auth':
    'clients are not asked who they are; tls: { clientCertificate: ... } of a listener asks for certificates',
  '*.cache': 'nothing is cached',
  '*.compress': 'responses are passed on as they are; endpoints may compress them',
  '*.compression': 'responses are passed on as they are; endpoints may compress them',
  '*.daemon': 'run it as a service: packaging/pointsman.service is a unit for systemd',
  '*.encode': 'responses are passed on as they are; endpoints may compress them',
  '*.fileserver': 'files are not served; an endpoint may do it',
  '*.gzip': 'responses are passed on as they are; endpoints may compress them',
  '*.include': 'a configuration is one file; pointsman.config.ts may import others',
  '*.mirror': 'requests are not mirrored',
  '*.realip': 'trustedProxies of a listener says who is believed about the client',
  '*.root': 'files are not served; an endpoint may do it',
  '*.upgrade': 'WebSocket needs no key: upgrades are passed on',
  '*.user': 'the service manager does this: packaging/pointsman.service is a unit for systemd',
  '*.waf': 'there is no web application firewall',
  '*.websocket': 'WebSocket needs no key: upgrades are passed on',
  '*.websockets': 'WebSocket needs no key: upgrades are passed on',
};

/** A word without case and separators, as the tables of foreign words have them. */
export function plainWord(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ .]/g, '');
}

/**
 * What to write instead of a key that is not known.
 * @param holder name of the list or map in which it stands; empty at the top
 */
export function advice(key: string, holder: string): string | undefined {
  const plain = plainWord(key);
  for (const place of [`${holder}.${plain}`, `*.${plain}`]) {
    if (Object.hasOwn(ADVICE, place)) return ADVICE[place];
  }
  return undefined;
}
