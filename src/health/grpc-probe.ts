import { type Address, formatAddress } from '../config/schema/address.ts';
import type { EndpointStream, ResponseConsumer } from '../http/streams.ts';
import type { FailureCode } from '../model/failures.ts';
import { type Fields, fieldLine, fieldName } from '../model/fields.ts';
import { GRPC_STATUS_NAMES } from '../model/grpc-status.ts';
import { Framing, RequestHead, type ResponseHead } from '../model/message.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Dialler } from '../net/dial.ts';
import { failedDial, type Probe, type ProbeDeps, type ProbeResult } from './probe.ts';
import { type EndpointProtocol, ProbeConnection, type ProbeStreamOwner } from './probe-stream.ts';

const STATUS = fieldName('grpc-status');
const MESSAGE = fieldName('grpc-message');
/** Of a response; the message has a few bytes. */
const MAX_BODY_BYTES = 1024;
const NAME = 'grpc.health.v1.Health/Check';

/** `grpc.health.v1.HealthCheckResponse.ServingStatus` */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const SERVING = 1;

/** A message of gRPC: not compressed, its length, and `HealthCheckRequest { string service = 1 }`. */
function requestMessage(service: string): Buffer {
  const name = Buffer.from(service);
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(field.length, 1);
  return Buffer.concat([prefix, field]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The status in `HealthCheckResponse { ServingStatus status = 1 }` behind its prefix; -1 when it cannot be read. */
function servingStatus(message: Buffer): number {
  if (message.length < 5 || message[0] !== 0) return -1;
  const length = message.readUInt32BE(1);
  if (message.length < 5 + length) return -1;
  // A status of 0 is not written.
  if (length === 0) return 0;
  return message[5] === 0x08 ? message[6]! : -1;
}

function requestHead(address: Address): RequestHead {
  const head = new RequestHead();
  head.method = 'POST';
  head.path = `/${NAME}`;
  head.authority = formatAddress(address);
  head.framing = Framing.Chunked;
  head.acceptsTrailers = true;
  head.fields.add(fieldLine('content-type', 'application/grpc'));
  head.fields.add(fieldLine('user-agent', 'pointsman-health-check'));
  return head;
}

/** Asks the standard health service of gRPC. It passes when the answer is SERVING within `timeoutMs`, connecting included. */
export function grpcProbe(
  deps: ProbeDeps,
  address: Address,
  protocol: EndpointProtocol,
  service: string,
  timeoutMs: number,
): Probe {
  const head = requestHead(address);
  const message = requestMessage(service);
  return (done) => {
    const run = new GrpcProbeRun(
      deps,
      address,
      protocol === 'h2' ? 'h2' : 'h2c',
      head,
      message,
      timeoutMs,
      done,
    );
    return () => run.cancel();
  };
}

/** One call under way. */
class GrpcProbeRun implements Dialler, ResponseConsumer, ProbeStreamOwner {
  readonly #deps: ProbeDeps;
  readonly #protocol: EndpointProtocol;
  readonly #head: RequestHead;
  readonly #message: Buffer;
  readonly #timeoutMs: number;
  readonly #done: (result: ProbeResult) => void;
  readonly #cancelTimeout: () => void;
  readonly #cancelDial: () => void;
  #connection: ProbeConnection | undefined = undefined;
  #stream: EndpointStream | undefined = undefined;
  #httpStatus = 0;
  #body: Buffer = Buffer.alloc(0);
  #status: string | undefined = undefined;
  #detail = '';
  #over = false;

  constructor(
    deps: ProbeDeps,
    address: Address,
    protocol: EndpointProtocol,
    head: RequestHead,
    message: Buffer,
    timeoutMs: number,
    done: (result: ProbeResult) => void,
  ) {
    this.#deps = deps;
    this.#protocol = protocol;
    this.#head = head;
    this.#message = message;
    this.#timeoutMs = timeoutMs;
    this.#done = done;
    this.#cancelTimeout = deps.clock.after(timeoutMs, () => {
      this.#leave();
      this.#finish(false, `${NAME}: no answer within ${timeoutMs} ms`);
    });
    this.#cancelDial = deps.dial(deps.wheel, address.host, address.port, timeoutMs, this);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#leave();
  }

  #leave(): void {
    if (this.#connection === undefined) this.#cancelDial();
    this.#stream?.abort();
    this.#connection?.close();
  }

  onConnected(connection: Connection): ConnectionHandler {
    const own = new ProbeConnection(this.#deps, this.#protocol, connection, this.#timeoutMs, this);
    this.#connection = own;
    return own.handler;
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#tell(failedDial(code, detail));
  }

  onStream(stream: EndpointStream): void {
    this.#stream = stream;
    stream.sendRequest(this.#head, this);
    stream.sendBody(this.#message, 0, this.#message.length);
    stream.sendEnd(undefined);
  }

  onNoStream(code: FailureCode, detail: string): void {
    this.onAttemptFailed(code, detail);
  }

  onInformational(): void {}

  onResponse(head: ResponseHead): void {
    this.#httpStatus = head.status;
    this.#readStatus(head.fields);
  }

  #readStatus(fields: Fields): void {
    this.#status ??= fields.get(STATUS);
    if (this.#detail === '') this.#detail = fields.get(MESSAGE) ?? '';
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    if (this.#body.length < MAX_BODY_BYTES)
      this.#body = Buffer.concat([this.#body, bytes.subarray(start, Math.min(end, start + MAX_BODY_BYTES))]);
  }

  onResponseEnd(trailers: Fields | undefined): void {
    this.#stream = undefined;
    if (trailers !== undefined) this.#readStatus(trailers);
    if (this.#httpStatus !== 200) {
      this.#finish(false, `${NAME} answered HTTP ${this.#httpStatus}`);
    } else if (this.#status !== '0') {
      const name = GRPC_STATUS_NAMES[Number(this.#status ?? -1)] ?? `status ${this.#status ?? 'missing'}`;
      this.#finish(
        false,
        `${NAME} answered ${name}${this.#detail === '' ? '' : `: ${this.#detail.slice(0, 100)}`}`,
      );
    } else {
      const serving = servingStatus(this.#body);
      this.#finish(serving === SERVING, `${NAME} answered ${SERVING_STATUS[serving] ?? 'something else'}`);
    }
  }

  onAttemptFailed(code: FailureCode, detail: string): void {
    this.#stream = undefined;
    this.#finish(false, `${NAME} failed (${code}${detail === '' ? '' : `: ${detail}`})`);
  }

  onEndpointCongested(): void {}

  onEndpointDrain(): void {}

  #finish(passed: boolean, detail: string): void {
    this.#tell({ passed, detail });
  }

  #tell(result: ProbeResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#done(result);
  }
}
