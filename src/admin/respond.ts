/** Every reason for which the admin API refuses, with its status. Codes are permanent. */
const STATUS_OF = {
  host_not_allowed: 403,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  internal_error: 500,
} as const;

export type AdminErrorCode = keyof typeof STATUS_OF;

const COMMON_FIELDS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export function respondText(body: string, contentType = 'text/plain; charset=utf-8'): Response {
  return new Response(body, { headers: { ...COMMON_FIELDS, 'content-type': contentType } });
}

export function respondJson(value: unknown, status = 200, fields: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(value, undefined, 2)}\n`, {
    status,
    headers: { ...COMMON_FIELDS, 'content-type': 'application/json', ...fields },
  });
}

/** A refusal: `{"error":{"code":...,"message":...}}`. The message is for people, the code for programs. */
export function respondError(
  code: AdminErrorCode,
  message: string,
  fields: Record<string, string> = {},
): Response {
  return respondJson({ error: { code, message } }, STATUS_OF[code], fields);
}
