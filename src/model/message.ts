import { Fields } from './fields.ts';

/** How the end of a body is told. */
export const Framing = {
  /** There is no body. */
  None: 0,
  /** `contentLength` bytes. */
  Length: 1,
  /** Chunked over HTTP/1.1, END_STREAM over HTTP/2. */
  Chunked: 2,
  /** Until the connection closes: responses only. */
  Close: 3,
} as const;

export type FramingKind = (typeof Framing)[keyof typeof Framing];

/** What a request came by. */
export type Protocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'HTTP/3';

/** The head of a request, parsed and checked by a codec, normalised, and reused from request to request. */
export class RequestHead {
  method = '';
  /** Host and port as the client wrote them, checked against the grammar; lower case where it matters is up to the reader. */
  authority = '';
  /** The Host line of `fields` is missing or dropped: it is written from `authority`. */
  hostReplaced = false;
  /** Normalised path: what is matched and what is forwarded. Starts with `/`, or is `*` for OPTIONS. */
  path = '';
  /** `?` and what follows, or empty. */
  query = '';
  /** Path and query as they came; while the two above are the same, the line that came may be forwarded. */
  rawPath = '';
  rawQuery = '';
  /** Where the request line starts in `fields.bytes`, if it lies there exactly as we would write it; else -1. */
  lineStart = -1;
  /** Minor version: 0 or 1; HTTP/2 counts as 1. */
  minor = 1;
  framing: FramingKind = Framing.None;
  contentLength = 0;
  /** `fields` has the Content-Length line, and it is as we would write it. */
  lengthInFields = false;
  /** The client waits for `100 Continue` before it sends the body. */
  expectContinue = false;
  /** Protocol that the client wants to switch to, lower case; empty for none. */
  upgrade = '';
  /** The client accepts trailers (`TE: trailers`). */
  acceptsTrailers = false;
  readonly fields = new Fields();

  /** Becomes the same as `other`, whose fields must not change any more. */
  adopt(other: RequestHead): void {
    this.method = other.method;
    this.authority = other.authority;
    this.hostReplaced = other.hostReplaced;
    this.path = other.path;
    this.query = other.query;
    this.rawPath = other.rawPath;
    this.rawQuery = other.rawQuery;
    this.lineStart = other.lineStart;
    this.minor = other.minor;
    this.framing = other.framing;
    this.contentLength = other.contentLength;
    this.lengthInFields = other.lengthInFields;
    this.expectContinue = other.expectContinue;
    this.upgrade = other.upgrade;
    this.acceptsTrailers = other.acceptsTrailers;
    this.fields.adopt(other.fields);
  }
}

/** The head of a response, as above. */
export class ResponseHead {
  status = 0;
  reason = '';
  minor = 1;
  /** Where the status line starts in `fields.bytes`, if it lies there exactly as we would write it; else -1. */
  lineStart = -1;
  framing: FramingKind = Framing.None;
  contentLength = 0;
  /** `fields` has the Content-Length line, and it is as we would write it. */
  lengthInFields = false;
  /** `fields` has a Date line. */
  dated = false;
  /** Protocol that a 101 switches to, lower case. */
  upgrade = '';
  readonly fields = new Fields();

  /** Becomes the same as `other`, whose fields must not change any more. */
  adopt(other: ResponseHead): void {
    this.status = other.status;
    this.reason = other.reason;
    this.minor = other.minor;
    this.lineStart = other.lineStart;
    this.framing = other.framing;
    this.contentLength = other.contentLength;
    this.lengthInFields = other.lengthInFields;
    this.dated = other.dated;
    this.upgrade = other.upgrade;
    this.fields.adopt(other.fields);
  }
}
