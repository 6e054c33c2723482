import type { ConnectionOutput } from './h2-output.ts';
import type { StreamOutput } from './h2-stream-output.ts';
import { H2Error, MAX_MAX_FRAME, MAX_WINDOW, MIN_MAX_FRAME, Setting } from './h2-protocol.ts';
import type { H2ServerSettings } from './h2-settings.ts';

/** Why a setting is refused: the connection is lost. */
export interface SettingError {
  readonly error: number;
  readonly reason: string;
}

/** Acts on a setting of a client (RFC 9113 section 6.5.2). What is not known is ignored. */
export function applyPeerSetting(
  output: ConnectionOutput,
  streams: Iterable<{ readonly out: StreamOutput }>,
  id: number,
  value: number,
): SettingError | undefined {
  if (id !== Setting.EnablePush) return applySharedSetting(output, streams, id, value);
  if (value <= 1) return undefined;
  return { error: H2Error.ProtocolError, reason: 'SETTINGS_ENABLE_PUSH is neither 0 nor 1' };
}

/** Acts on a setting that means the same whichever side it comes from. What is not known is ignored. */
export function applySharedSetting(
  output: ConnectionOutput,
  streams: Iterable<{ readonly out: StreamOutput }>,
  id: number,
  value: number,
): SettingError | undefined {
  switch (id) {
    case Setting.HeaderTableSize:
      output.heads.encoder.setPeerTableSize(value);
      return undefined;
    case Setting.InitialWindowSize:
      if (value > MAX_WINDOW)
        return { error: H2Error.FlowControlError, reason: 'SETTINGS_INITIAL_WINDOW_SIZE is too large' };
      if (output.setInitialWindow(value, streams)) return undefined;
      return { error: H2Error.FlowControlError, reason: 'the window of a stream is too large' };
    case Setting.MaxFrameSize:
      if (value < MIN_MAX_FRAME || value > MAX_MAX_FRAME)
        return { error: H2Error.ProtocolError, reason: 'SETTINGS_MAX_FRAME_SIZE is out of range' };
      output.heads.maxFrame = value;
      return undefined;
    default:
      return undefined;
  }
}

/** What we tell a client of ourselves. What is as everybody expects is left out. */
export function ownSettings(h2: H2ServerSettings, headerBytes: number): (readonly [number, number])[] {
  const values: (readonly [number, number])[] = [
    [Setting.MaxConcurrentStreams, h2.maxConcurrentStreams],
    [Setting.InitialWindowSize, h2.initialStreamWindow],
    [Setting.MaxHeaderListSize, headerBytes],
    [Setting.NoRfc7540Priorities, 1],
  ];
  if (h2.maxFrameSize !== MIN_MAX_FRAME) values.push([Setting.MaxFrameSize, h2.maxFrameSize]);
  if (h2.headerTableSize !== 4096) values.push([Setting.HeaderTableSize, h2.headerTableSize]);
  if (h2.webSocket) values.push([Setting.EnableConnectProtocol, 1]);
  return values;
}
