import type { RequestHead } from '../model/message.ts';
import type { Origin } from '../net/origin.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { BodyPaceRules } from './body-pace.ts';
import type { RequestParser } from './h1-request.ts';
import type { H2ServerSettings } from './h2-settings.ts';
import type { RequestHandler } from './streams.ts';

/** What the connections of one listener share, whatever the version of HTTP. */
export interface ServerSettings {
  readonly parser: RequestParser;
  readonly handler: RequestHandler;
  readonly wheel: TimerWheel;
  /** Milliseconds. */
  readonly timeouts: {
    readonly requestHead: number;
    readonly idle: number;
    readonly send: number;
  };
  /** Bytes of a head, for deciding when a partial one must be looked at. */
  readonly headerBytes: number;
  /** Bytes of a body; Infinity for no limit. */
  readonly bodyBytes: number;
  /** How request bodies have to come. */
  readonly bodyPace: BodyPaceRules;
  /** Requests on a connection; Infinity for no limit. */
  readonly requestsPerConnection: number;
  /** No further requests: responses say `Connection: close`. */
  draining: boolean;
  /** What holds since a reload: connections follow with their next request. */
  successor: ServerSettings | undefined;
  /** What HTTP/2 needs beside all this, where it is spoken. */
  readonly http2?: H2ServerSettings;
  /** What the handler keeps with each connection, as `context`. */
  contextOf(origin: Origin, secure: boolean): unknown;
  /** Heads that serve no request now. */
  readonly heads: RequestHead[];
}
