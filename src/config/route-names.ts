import { allRoutes } from './pool-references.ts';
import type { ListenerConfig } from './schema/listener.ts';

/** What the routes of a listener are called, in their order; behind them those by which TLS is passed on. */
export function routeNames(listener: ListenerConfig): string[] {
  const passedOn = listener.protocol === 'http' ? (listener.passThrough ?? []) : [];
  return [
    ...allRoutes(listener).map((route, index) => route?.name ?? `routes[${index}]`),
    ...passedOn.map(({ name }, index) => name ?? `passThrough[${index}]`),
  ];
}
