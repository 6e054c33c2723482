import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { RequestParser } from '../http/h1-request.ts';
import { H2RequestReader } from '../http/h2-request.ts';
import type { ServerSettings } from '../http/server-settings.ts';
import type { RequestHandler } from '../http/streams.ts';
import type { H2Stats } from '../model/h2-stats.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { ForwardingPolicy } from './client-forwarding.ts';

/** What stays the same for a listener, however it is configured. */
export interface ServingParts {
  readonly handler: RequestHandler;
  readonly wheel: TimerWheel;
  readonly stats: H2Stats;
}

/**
 * How the connections of a listener are served by its configuration.
 * @param before what held until now: who drains goes on draining, and what is spare is kept
 */
export function servingSettings(
  config: HttpListenerConfig,
  forwarding: ForwardingPolicy,
  { handler, wheel, stats }: ServingParts,
  before?: ServerSettings,
): ServerSettings {
  const { limits, timeouts, http2 } = config;
  const { bodyBytes, bodyRate, headerBytes, requestsPerConnection } = limits;
  return {
    parser: new RequestParser(limits),
    handler,
    wheel,
    timeouts,
    headerBytes,
    bodyBytes: bodyBytes ?? Number.POSITIVE_INFINITY,
    bodyPace: { idleMs: timeouts.requestBody, graceMs: timeouts.slowBody, bytesPerSecond: bodyRate },
    requestsPerConnection: requestsPerConnection === 0 ? Number.POSITIVE_INFINITY : requestsPerConnection,
    draining: before?.draining ?? false,
    heads: before?.heads ?? [],
    http2: {
      ...http2,
      reader: new H2RequestReader(limits, http2.webSocket),
      stats,
      spareStreams: before?.http2?.spareStreams ?? [],
    },
    successor: undefined,
    contextOf: ({ remoteAddress, tls }, secure) => forwarding.forPeer(remoteAddress, secure, tls),
  };
}
