/**
 * What the frames of a connection mean. Buffers are valid until the call returns. Every call may `stop` the reader.
 */
export interface FrameSink {
  /** A DATA frame begins; `length` is what it takes of both windows, padding included. */
  onDataFrame(stream: number, length: number, endStream: boolean): void;
  /** Content of that frame, in as many pieces as it arrives. */
  onDataBytes(bytes: Buffer, start: number, end: number): void;
  /** That frame is over. */
  onDataFrameEnd(): void;
  /** A field block is whole: HEADERS and its CONTINUATION frames. It must be decoded, even if the stream is of no interest. */
  onFieldBlock(stream: number, endStream: boolean, bytes: Buffer, start: number, end: number): void;
  /** HEADERS or PRIORITY said that the stream depends on `dependency`: deprecated, and of no effect. */
  onPriority(stream: number, dependency: number): void;
  onReset(stream: number, error: number): void;
  /** One value of a SETTINGS frame. */
  onSetting(id: number, value: number): void;
  /** That frame is over; all of its values were told. */
  onSettingsEnd(): void;
  onSettingsAck(): void;
  /** `data` has 8 bytes from `start`. */
  onPing(ack: boolean, data: Buffer, start: number): void;
  onGoaway(lastStream: number, error: number): void;
  /** `increment` may be 0, which is an error of the stream, or with stream 0 of the connection. */
  onWindowUpdate(stream: number, increment: number): void;
  /** A frame of a type that nobody knows, or an empty CONTINUATION: nothing to do but to count it. */
  onIdleFrame(): void;
  /** The bytes break the framing: nothing more is read. `error` is for GOAWAY. */
  onFrameError(error: number, reason: string): void;
}
