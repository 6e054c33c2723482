import { respondError } from './respond.ts';

/** Larger than any endpoint that can be described. */
export const MOST_BODY_BYTES = 64 * 1024;

/** The JSON that a request carries, or why it is refused. */
export async function readJson(request: Request): Promise<{ readonly json: unknown } | Response> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json' && type !== 'application/merge-patch+json') {
    return respondError('unsupported_media_type', 'Send JSON as "Content-Type: application/json".', {
      accept: 'application/json',
    });
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      sizeBytes += chunk.length;
      if (sizeBytes <= MOST_BODY_BYTES) chunks.push(chunk);
    }
  } catch {
    // The client is gone, or sent no body that can be read: no defect of ours.
    return respondError('invalid_request', 'The body broke off.');
  }
  // It was read to its end, because closing on bytes that are still coming resets the connection, and the answer is lost.
  if (sizeBytes > MOST_BODY_BYTES)
    return respondError('body_too_large', `A body may have ${MOST_BODY_BYTES} bytes.`);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    return { json: JSON.parse(text) as unknown };
  } catch (error) {
    const what =
      error instanceof SyntaxError ? `The body is not JSON: ${error.message}` : 'The body is not UTF-8.';
    return respondError('invalid_request', what);
  }
}
