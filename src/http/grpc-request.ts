import { fieldName } from '../model/fields.ts';
import type { RequestHead } from '../model/message.ts';

const CONTENT_TYPE = fieldName('content-type');
const GRPC = 'application/grpc';

/** Whether a request is a call of gRPC, by whatever it came. */
export function isGrpcCall(request: RequestHead): boolean {
  if (request.method !== 'POST') return false;
  const type = request.fields.get(CONTENT_TYPE);
  if (type === undefined || !type.startsWith(GRPC)) return false;
  const next = type[GRPC.length];
  return next === undefined || next === '+' || next === ';';
}
