import type { FrameSink } from './h2-frame-sink.ts';
import { Flag, FrameType, H2Error, MAX_WINDOW } from './h2-protocol.ts';
import { uint31, uint32 } from './h2-uint.ts';

/** How a frame breaks the framing. `error` is for GOAWAY. */
export interface FrameFault {
  readonly error: number;
  readonly reason: string;
}

function wrongStream(reason: string): FrameFault {
  return { error: H2Error.ProtocolError, reason };
}

function wrongSize(reason: string): FrameFault {
  return { error: H2Error.FrameSizeError, reason };
}

/**
 * Tells `sink` of a frame that stands for itself and has a fixed layout (RFC 9113 sections 6.3 to 6.9): of any type but DATA, HEADERS,
 * CONTINUATION and SETTINGS. Its payload is `bytes[start, end)`. Returns what is wrong with it; undefined when nothing is.
 */
export function tellControlFrame(
  sink: FrameSink,
  bytes: Buffer,
  start: number,
  end: number,
  type: number,
  flags: number,
  stream: number,
): FrameFault | undefined {
  const length = end - start;
  switch (type) {
    case FrameType.Priority:
      if (stream === 0) return wrongStream('PRIORITY on stream 0');
      if (length !== 5) return wrongSize('PRIORITY is not 5 bytes');
      sink.onPriority(stream, uint31(bytes, start));
      return undefined;
    case FrameType.ResetStream:
      if (stream === 0) return wrongStream('RST_STREAM on stream 0');
      if (length !== 4) return wrongSize('RST_STREAM is not 4 bytes');
      sink.onReset(stream, uint32(bytes, start));
      return undefined;
    case FrameType.PushPromise:
      return { error: H2Error.ProtocolError, reason: 'PUSH_PROMISE' };
    case FrameType.Ping:
      if (stream !== 0) return wrongStream('PING on a stream');
      if (length !== 8) return wrongSize('PING is not 8 bytes');
      sink.onPing((flags & Flag.Ack) !== 0, bytes, start);
      return undefined;
    case FrameType.Goaway:
      if (stream !== 0) return wrongStream('GOAWAY on a stream');
      if (length < 8) return wrongSize('GOAWAY is too short');
      sink.onGoaway(uint31(bytes, start), uint32(bytes, start + 4));
      return undefined;
    case FrameType.WindowUpdate:
      if (length !== 4) return wrongSize('WINDOW_UPDATE is not 4 bytes');
      sink.onWindowUpdate(stream, uint31(bytes, start) & MAX_WINDOW);
      return undefined;
    default:
      // Section 5.5: what is not known is ignored.
      sink.onIdleFrame();
      return undefined;
  }
}
