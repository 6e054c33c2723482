import { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import type { H2Abuse } from '../model/h2-stats.ts';
import type { RequestHead } from '../model/message.ts';
import type { AbuseGuard } from './h2-abuse-guard.ts';
import { grpcFailureHead } from './grpc-reply.ts';
import { isGrpcCall } from './grpc-request.ts';
import { H2Error } from './h2-protocol.ts';
import type { ServerStreams } from './h2-server-streams.ts';
import type { H2ServerStream } from './h2-server-stream.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { BlockMemo } from './hpack-memo.ts';
import { failureReply, replyHead } from './local-reply.ts';
import type { ServerSettings } from './server-settings.ts';
import { takeHead } from './spare-heads.ts';
import { dropForbiddenTrailers } from './trailer-rules.ts';

/** Whose requests they are. */
export interface IntakeOwner {
  /** Those that hold now; they have `http2`. */
  readonly settings: ServerSettings;
  /** A reload has left a successor to the settings: from now on it holds. */
  follow(): void;
  /** Takes no further requests. */
  drain(): void;
  /** The client broke the protocol: the connection ends. */
  onFrameError(error: number, reason: string): void;
  /** The client asks too much: the connection ends. */
  onAbuse(abuse: H2Abuse): void;
}

/** Trailers are looked at within the call. */
const trailers = new Fields();

/** Makes requests of the field blocks that a client sends: decides which are served, refused, or an error (RFC 9113 section 8.1). */
export class RequestIntake {
  readonly #owner: IntakeOwner;
  readonly #streams: ServerStreams;
  readonly #guard: AbuseGuard;
  readonly #decoder: HpackDecoder;
  /** Request heads that came before. */
  #memo: BlockMemo<RequestHead>;
  #requests = 0;

  constructor(owner: IntakeOwner, streams: ServerStreams, guard: AbuseGuard) {
    const { http2, headerBytes } = owner.settings;
    this.#owner = owner;
    this.#streams = streams;
    this.#guard = guard;
    this.#decoder = new HpackDecoder(http2!.headerTableSize, headerBytes);
    this.#memo = new BlockMemo(this.#decoder);
  }

  /** A field block is whole: a head, trailers, or of a stream that is over. */
  onFieldBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const streams = this.#streams;
    const stream = streams.openStream(id);
    if (stream !== undefined) this.#onTrailers(stream, endStream, bytes, start, end);
    else if ((id & 1) === 0) this.#owner.onFrameError(H2Error.ProtocolError, 'HEADERS on an even stream');
    else if (id > streams.last) this.#onRequest(id, endStream, bytes, start, end);
    else if (!streams.wasReset(id))
      this.#owner.onFrameError(H2Error.StreamClosed, 'HEADERS on a closed stream');
    else if (this.#skip(bytes, start, end)) this.#guard.onControl('control_flood');
  }

  /** Decodes a block that is not used. False when that is not possible. */
  #skip(bytes: Buffer, start: number, end: number): boolean {
    const error = this.#owner.settings.http2!.reader.skip(this.#decoder, bytes, start, end);
    if (error === undefined) return true;
    this.#owner.onFrameError(H2Error.CompressionError, error);
    return false;
  }

  #onRequest(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const streams = this.#streams;
    streams.last = id;
    if (this.#owner.settings.successor !== undefined) {
      this.#owner.follow();
      // Other limits may hold for what was in order.
      this.#memo = new BlockMemo(this.#decoder);
    }
    const { settings } = this.#owner;
    const { maxConcurrentStreams, reader } = settings.http2!;
    if (id > streams.lastServed) {
      // It knows, or will know, that these are not served (section 6.8).
      this.#skip(bytes, start, end);
      return;
    }
    if (streams.size >= maxConcurrentStreams) {
      if (this.#skip(bytes, start, end)) streams.refuse(id);
      return;
    }
    const head = takeHead(settings.heads);
    const error = reader.readHead(this.#memo, bytes, start, end, head, endStream);
    if (error !== undefined) {
      this.#owner.onFrameError(H2Error.CompressionError, error);
      return;
    }
    this.#guard.onRequest();
    const stream = streams.open(id, head, endStream);
    if (reader.malformed) {
      settings.handler.onRefused(stream, 'request_malformed');
      streams.streamError(stream, H2Error.ProtocolError);
    } else if (this.#decoder.listBytes > settings.headerBytes * 8) {
      this.#owner.onAbuse('field_list_bomb');
    } else {
      this.#serve(stream, reader.failure, settings);
    }
  }

  #serve(stream: H2ServerStream, failure: FailureCode | undefined, settings: ServerSettings): void {
    const refusal =
      failure ?? (stream.request.contentLength > settings.bodyBytes ? 'request_body_too_large' : undefined);
    if (refusal !== undefined) {
      this.#refuse(stream, refusal, settings);
      return;
    }
    const consumer = settings.handler.onRequest(stream);
    if (!stream.responded && !stream.over) stream.consumer = consumer;
    if (++this.#requests >= settings.requestsPerConnection || this.#owner.settings.draining)
      this.#owner.drain();
  }

  /** Answers a request that never reached the handler. */
  #refuse(stream: H2ServerStream, code: FailureCode, { handler }: ServerSettings): void {
    if (isGrpcCall(stream.request)) stream.sendHead(grpcFailureHead(code, ''));
    else {
      const reply = failureReply(code);
      stream.sendHead(replyHead(reply));
      if (stream.request.method !== 'HEAD') stream.sendBody(reply.body, 0, reply.body.length);
    }
    handler.onRefused(stream, code);
    stream.sendEnd(undefined);
  }

  #onTrailers(stream: H2ServerStream, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const { reader } = this.#owner.settings.http2!;
    const streams = this.#streams;
    const error = reader.readTrailers(this.#decoder, bytes, start, end, trailers);
    if (error !== undefined) this.#owner.onFrameError(H2Error.CompressionError, error);
    else if (stream.received) streams.streamError(stream, H2Error.StreamClosed);
    else if (!endStream || reader.malformed) streams.streamError(stream, H2Error.ProtocolError);
    else if (stream.bodyLeft > 0) streams.brokenLength(stream);
    else streams.received(stream, dropForbiddenTrailers(trailers) ? trailers : undefined);
  }
}
