import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Protocol, RequestHead, ResponseHead } from '../model/message.ts';
import type { CloseCause } from '../net/connection.ts';
import type { Origin } from '../net/origin.ts';
import type { RelaySide } from '../net/relay.ts';

/**
 * The four sides of an exchange, the same for every version of HTTP. A codec at the front turns a client's bytes into calls of
 * `RequestConsumer` and offers a `ClientStream`; a codec at the back does the same with `ResponseConsumer` and
 * `EndpointStream`. The data path in between implements both consumers and never sees bytes of a head.
 */

/** One request of a client, and the way back to it. */
export interface ClientStream {
  readonly request: RequestHead;
  readonly protocol: Protocol;
  /** Of the client's connection. */
  readonly origin: Origin;
  readonly secure: boolean;
  /** What the data path keeps for the client's connection; the codec only carries it. */
  readonly context: unknown;
  /** Output waits to be taken: hold back until `onClientDrain`. */
  readonly congested: boolean;
  /** Bytes of the response written so far, heads included. */
  readonly bytesSent: number;
  /** Sends a 1xx other than 101. Clients that cannot take it never see it. */
  sendInformational(head: ResponseHead): void;
  /** Sends the final head; body pieces and the end follow. */
  sendHead(head: ResponseHead): void;
  sendBody(bytes: Buffer, start: number, end: number): void;
  sendEnd(trailers: Fields | undefined): void;
  /** Ends a response that cannot be completed so that the client can tell. Nothing more is called afterwards. */
  abort(): void;
  /** The request was refused: nothing more is read from this client, the connection ends with the response. */
  closeAfterResponse(): void;
  /** Holds back the request body. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** Whether that 101 of the endpoint is what this client asked for. */
  answersUpgrade(head: ResponseHead): boolean;
  /** Sends the 101 and gives up the connection: from now on it is a tunnel. */
  startTunnel(head: ResponseHead): RelaySide;
}

/** What happens to a request while it is served. */
export interface RequestConsumer {
  onRequestBody(bytes: Buffer, start: number, end: number): void;
  onRequestEnd(trailers: Fields | undefined): void;
  /** The request cannot go on: the client left, broke the grammar, or was too slow. `abort` is not needed after `client_closed`. */
  onRequestFailed(code: FailureCode): void;
  onClientCongested(): void;
  onClientDrain(): void;
  /** The client will send nothing more (FIN behind a whole request): it may be gone, or it may wait for the response. */
  onClientEnd(): void;
  /** The time for finishing is over: answer at once, or cut. */
  onCut(): void;
}

/** Serves the requests of a listener. */
export interface RequestHandler {
  /** A request head was read and checked; its body, if any, follows in this or later turns. */
  onRequest(stream: ClientStream): RequestConsumer;
  /** A request that could not be parsed: answered by the codec itself, told for logs and metrics. */
  onRefused(stream: ClientStream, code: FailureCode): void;
}

/** One attempt at an endpoint. */
export interface EndpointStream {
  /** Output waits to be taken: hold back until `onEndpointDrain`. */
  readonly congested: boolean;
  /** The connection carried another exchange before this one. */
  readonly reused: boolean;
  /** The endpoint may say that it has not looked at the request: then it can be sent again, whatever its method. */
  readonly mayRefuse: boolean;
  /** Bytes received from and sent to the endpoint for this exchange, heads included. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Sends the request head and, without a body, ends the request. */
  sendRequest(head: RequestHead, consumer: ResponseConsumer): void;
  sendBody(bytes: Buffer, start: number, end: number): void;
  sendEnd(trailers: Fields | undefined): void;
  /** Gives up: the endpoint sees a reset, and the consumer hears nothing more. */
  abort(): void;
  pauseResponse(): void;
  resumeResponse(): void;
  /** After a 101: gives up the connection, which becomes a tunnel. */
  startTunnel(): RelaySide;
}

/** What comes back from an endpoint. */
export interface ResponseConsumer {
  onInformational(head: ResponseHead): void;
  /** The final head, or a 101. */
  onResponse(head: ResponseHead): void;
  onResponseBody(bytes: Buffer, start: number, end: number): void;
  /** The response is whole; `bytesReceived` and `bytesSent` are the totals of the exchange with the endpoint. */
  onResponseEnd(trailers: Fields | undefined, bytesReceived: number, bytesSent: number): void;
  /** The attempt failed; the stream is over. */
  onAttemptFailed(code: FailureCode, detail: string): void;
  onEndpointCongested(): void;
  onEndpointDrain(): void;
}

/** What is said of a connection whose end is `refused`. */
export const CERTIFICATE_REFUSED = 'the endpoint does not accept our certificate, or wants one';

/** How a connection of an endpoint ended, as a failure of the attempt that was under way on it. */
export function failureOfClose(cause: CloseCause, reused: boolean, anyByte: boolean): FailureCode {
  if (cause === 'refused') return 'tls_alert';
  if (reused && !anyByte) return 'endpoint_stale';
  return cause === 'closed' ? 'endpoint_closed' : 'endpoint_reset';
}
