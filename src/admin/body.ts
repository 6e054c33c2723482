import { respondError } from './respond.ts';

/** Larger than any endpoint that can be described. */
export const MOST_BODY_BYTES = 64 * 1024;

const TOO_LARGE = `A body may have ${MOST_BODY_BYTES} bytes.`;

/** The JSON that a request carries, or why it is refused. */
export async function readJson(request: Request): Promise<{ readonly json: unknown } | Response> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json' && type !== 'application/merge-patch+json') {
    return respondError('unsupported_media_type', 'Send JSON as "Content-Type: application/json".', {
      accept: 'application/json',
    });
  }
  if (Number(request.headers.get('content-length') ?? 0) > MOST_BODY_BYTES) return tooLarge();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > MOST_BODY_BYTES) return tooLarge();
    chunks.push(chunk);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    return { json: JSON.parse(text) as unknown };
  } catch (error) {
    const what =
      error instanceof SyntaxError ? `The body is not JSON: ${error.message}` : 'The body is not UTF-8.';
    return respondError('invalid_request', what);
  }
}

/** What is still to come of such a body is not worth reading. */
function tooLarge(): Response {
  return respondError('body_too_large', TOO_LARGE, { connection: 'close' });
}
