import type { ServerSettings } from './server-settings.ts';
import type { AbuseGuard } from './h2-abuse-guard.ts';
import type { BodyReader } from './h2-body-reader.ts';
import type { FrameSink } from './h2-frame-sink.ts';
import type { ConnectionOutput } from './h2-output.ts';
import { applyPeerSetting } from './h2-peer-settings.ts';
import { H2Error } from './h2-protocol.ts';
import { type IntakeOwner, RequestIntake } from './h2-request-intake.ts';
import type { ServerStreams } from './h2-server-streams.ts';

/** Whose client sends the frames. */
export interface ServerFramesOwner extends IntakeOwner {
  readonly settings: ServerSettings;
  readonly output: ConnectionOutput;
  /** Nothing is served any more. */
  readonly lingers: boolean;
  /** The client has answered a PING, whose `data` has 8 bytes from `start`. */
  onPong(data: Buffer, start: number): void;
}

/** What the frames of a client do (RFC 9113 section 6). */
export class ServerFrames implements FrameSink {
  readonly #owner: ServerFramesOwner;
  readonly #output: ConnectionOutput;
  readonly #streams: ServerStreams;
  readonly #bodies: BodyReader;
  readonly #guard: AbuseGuard;
  readonly #requests: RequestIntake;

  constructor(owner: ServerFramesOwner, streams: ServerStreams, guard: AbuseGuard) {
    this.#owner = owner;
    this.#output = owner.output;
    this.#streams = streams;
    this.#bodies = streams.bodies;
    this.#guard = guard;
    this.#requests = new RequestIntake(owner, streams, guard);
  }

  onFieldBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.#requests.onFieldBlock(id, endStream, bytes, start, end);
  }

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#bodies.onDataFrame(id, length, endStream);
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    this.#bodies.onDataBytes(bytes, start, end, this.#owner.settings.bodyBytes);
  }

  onDataFrameEnd(): void {
    this.#bodies.onDataFrameEnd();
  }

  onPriority(stream: number, dependency: number): void {
    if (stream === dependency) this.onFrameError(H2Error.ProtocolError, 'a stream depends on itself');
    else this.#guard.onControl('priority_flood');
  }

  onReset(id: number): void {
    if (this.#streams.isIdle(id)) {
      this.onFrameError(H2Error.ProtocolError, 'RST_STREAM on an idle stream');
      return;
    }
    const stream = this.#streams.openStream(id);
    this.#owner.settings.http2!.stats.resetReceived();
    if (stream === undefined) this.#guard.onControl('control_flood');
    else this.#streams.onReset(stream);
  }

  onSetting(id: number, value: number): void {
    const refused = applyPeerSetting(this.#output, this.#streams.all, id, value);
    if (refused !== undefined) this.onFrameError(refused.error, refused.reason);
  }

  onSettingsEnd(): void {
    if (this.#owner.lingers) return;
    this.#output.writer.settingsAck();
    this.#guard.onControl('settings_flood');
  }

  onSettingsAck(): void {
    this.#guard.onControl('settings_flood');
  }

  onPing(ack: boolean, data: Buffer, start: number): void {
    if (ack) this.#owner.onPong(data, start);
    else this.#output.writer.ping(true, data, start);
    this.#guard.onControl('ping_flood');
  }

  onGoaway(): void {
    // It will open no more streams; those that are open are served.
    this.#guard.onControl('control_flood');
  }

  onWindowUpdate(id: number, increment: number): void {
    if (id === 0) this.#widenConnection(increment);
    else if (this.#streams.isIdle(id))
      this.onFrameError(H2Error.ProtocolError, 'WINDOW_UPDATE on an idle stream');
    else this.#widenStream(id, increment);
    this.#guard.onControl('window_flood');
  }

  #widenConnection(increment: number): void {
    if (increment === 0) this.onFrameError(H2Error.ProtocolError, 'WINDOW_UPDATE by 0');
    else if (!this.#output.widen(increment))
      this.onFrameError(H2Error.FlowControlError, 'the window of the connection is too large');
  }

  #widenStream(id: number, increment: number): void {
    const stream = this.#streams.openStream(id);
    if (stream === undefined) return;
    if (increment === 0) this.#streams.streamError(stream, H2Error.ProtocolError);
    else if (!this.#output.widenStream(stream.out, increment))
      this.#streams.streamError(stream, H2Error.FlowControlError);
  }

  onIdleFrame(): void {
    this.#guard.onControl('control_flood');
  }

  onFrameError(error: number, reason: string): void {
    this.#owner.onFrameError(error, reason);
  }
}
