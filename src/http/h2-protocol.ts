/** The numbers of HTTP/2 (RFC 9113), in one place for both sides. */

/** What a client sends first (section 3.4). */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Frame types (section 6). */
export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  ResetStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  Goaway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

/** Flags of frames; the same bit means different things on different frames. */
export const Flag = {
  None: 0,
  EndStream: 1,
  Ack: 1,
  EndHeaders: 4,
  Padded: 8,
  Priority: 32,
} as const;

/** Error codes (section 7). */
export const H2Error = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  SettingsTimeout: 4,
  StreamClosed: 5,
  FrameSizeError: 6,
  RefusedStream: 7,
  Cancel: 8,
  CompressionError: 9,
  ConnectError: 10,
  EnhanceYourCalm: 11,
  InadequateSecurity: 12,
  Http11Required: 13,
} as const;

const ERROR_NAMES = Object.keys(H2Error);

/** The name of an error code, for people. */
export function h2ErrorName(error: number): string {
  return ERROR_NAMES[error] ?? `error ${error}`;
}

/** Settings (section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1). */
export const Setting = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
  MaxHeaderListSize: 6,
  EnableConnectProtocol: 8,
  NoRfc7540Priorities: 9,
} as const;

/** Bytes in front of every payload. */
export const FRAME_HEADER = 9;
/** Window of a connection, and of every stream until SETTINGS say otherwise, bytes. */
export const DEFAULT_WINDOW = 65_535;
/** Largest window, bytes. */
export const MAX_WINDOW = 0x7fff_ffff;
/** Largest payload that every peer takes, and the smallest limit that a peer may set, bytes. */
export const MIN_MAX_FRAME = 16_384;
/** Largest limit that a peer may set, bytes. */
export const MAX_MAX_FRAME = 0xff_ffff;
/** Largest stream id; the one that a GOAWAY names when it only warns. */
export const MAX_STREAM_ID = 0x7fff_ffff;
