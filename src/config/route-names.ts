import { allRoutes } from './pool-references.ts';
import type { ListenerConfig } from './schema/listener.ts';
import type { TlsRouteConfig } from './schema/tls-route.ts';

function passedOn(listener: ListenerConfig): readonly TlsRouteConfig[] {
  return listener.protocol === 'http' ? (listener.passThrough ?? []) : [];
}

/** What the routes of a listener are called, in their order; behind them those by which TLS is passed on. */
export function routeNames(listener: ListenerConfig): string[] {
  return [
    ...allRoutes(listener).map((route, index) => route?.name ?? `routes[${index}]`),
    ...passedOn(listener).map(({ name }, index) => name ?? `passThrough[${index}]`),
  ];
}

/** How many `routeNames` has. */
export function routeCount(listener: ListenerConfig): number {
  return allRoutes(listener).length + passedOn(listener).length;
}
