import { type Address, formatAddress } from '../config/schema/address.ts';
import { type Fields, fieldLine, fieldName } from '../model/fields.ts';
import { GRPC_STATUS_NAMES } from '../model/grpc-status.ts';
import { Framing, RequestHead, type ResponseHead } from '../model/message.ts';
import type { Probe, ProbeDeps, ProbeResult } from './probe.ts';
import type { EndpointProtocol } from './probe-stream.ts';
import { type AnswerJudge, requestProbe } from './request-probe.ts';

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
  return requestProbe(deps, {
    address,
    protocol: protocol === 'h2' ? 'h2' : 'h2c',
    timeoutMs,
    name: NAME,
    request: requestHead(address),
    body: requestMessage(service),
    judge: () => new GrpcAnswer(),
  });
}

/** The status of gRPC first, which may come in the head or in the trailers, then the message. */
class GrpcAnswer implements AnswerJudge {
  #httpStatus = 0;
  #body: Buffer = Buffer.alloc(0);
  #status: string | undefined = undefined;
  #detail = '';

  onHead(head: ResponseHead): void {
    this.#httpStatus = head.status;
    this.#readStatus(head.fields);
  }

  #readStatus(fields: Fields): void {
    this.#status ??= fields.get(STATUS);
    if (this.#detail === '') this.#detail = fields.get(MESSAGE) ?? '';
  }

  onBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.#body.length < MAX_BODY_BYTES)
      this.#body = Buffer.concat([this.#body, bytes.subarray(start, Math.min(end, start + MAX_BODY_BYTES))]);
    return false;
  }

  whole(trailers: Fields | undefined): ProbeResult {
    if (trailers !== undefined) this.#readStatus(trailers);
    if (this.#httpStatus !== 200)
      return { passed: false, detail: `${NAME} answered HTTP ${this.#httpStatus}` };
    if (this.#status !== '0') {
      const name = GRPC_STATUS_NAMES[Number(this.#status ?? -1)] ?? `status ${this.#status ?? 'missing'}`;
      const detail = this.#detail === '' ? '' : `: ${this.#detail.slice(0, 100)}`;
      return { passed: false, detail: `${NAME} answered ${name}${detail}` };
    }
    const serving = servingStatus(this.#body);
    const said = SERVING_STATUS[serving] ?? 'something else';
    return { passed: serving === SERVING, detail: `${NAME} answered ${said}` };
  }

  partial(): undefined {}
}
