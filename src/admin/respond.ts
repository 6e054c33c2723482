import { type ConfigIssue, formatPath, type Problem } from '../config/issue.ts';

/** Every reason for which the admin API refuses, with its status. Codes are permanent. */
const STATUS_OF = {
  invalid_request: 400,
  unauthorized: 401,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
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

/** It is done, and there is nothing to say. */
export function respondNothing(fields: Record<string, string>): Response {
  return new Response(null, { status: 204, headers: { ...COMMON_FIELDS, ...fields } });
}

/** A refusal: `{"error":{"code":...,"message":...}}`. The message is for people, the code for programs. */
export function respondError(
  code: AdminErrorCode,
  message: string,
  fields: Record<string, string> = {},
): Response {
  return respondJson({ error: { code, message } }, STATUS_OF[code], fields);
}

/** 400 with everything that is wrong, in the words of `pointsman check`. */
export function respondProblems(problems: readonly Problem[]): Response {
  const issues: ConfigIssue[] = problems.map(({ code, at, message, hint }) =>
    hint === undefined
      ? { code, path: formatPath(at), message }
      : { code, path: formatPath(at), message, hint },
  );
  const lines = issues.map(({ path, message, hint }) =>
    [path, hint === undefined ? message : `${message}; ${hint}`].filter(Boolean).join(': '),
  );
  return respondJson(
    { error: { code: 'invalid_request', message: lines.join('\n'), issues } },
    STATUS_OF.invalid_request,
  );
}
