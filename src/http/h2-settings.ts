import type { H2Stats } from '../model/h2-stats.ts';
import type { AllowanceConfig } from './h2-conduct.ts';
import type { H2ServerStream } from './h2-server-stream.ts';
import type { H2RequestReader } from './h2-request.ts';

/** What the HTTP/2 connections of one listener share, beside what holds for HTTP/1.1 as well. */
export interface H2ServerSettings {
  readonly reader: H2RequestReader;
  readonly stats: H2Stats;
  /** Stream objects that serve nobody now. */
  readonly spareStreams: H2ServerStream[];
  readonly maxConcurrentStreams: number;
  /** Bytes. */
  readonly initialStreamWindow: number;
  readonly initialConnectionWindow: number;
  readonly maxFrameSize: number;
  readonly headerTableSize: number;
  /** Streams that end by a reset. */
  readonly resets: AllowanceConfig;
  /** Frames that carry nothing of a request. */
  readonly controlFrames: AllowanceConfig;
  /** Extended CONNECT (RFC 8441) is offered. */
  readonly webSocket: boolean;
  /** Milliseconds. */
  readonly maxConnectionAge?: number | undefined;
}
