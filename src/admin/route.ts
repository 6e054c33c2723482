import type { AdminState } from './state.ts';

/** A request that was let in. */
export interface AdminRequest {
  readonly state: AdminState;
  readonly headers: Headers;
  /** What stood in the place of `:pool` in the path; empty when it has none. */
  readonly pool: string;
  /** What stood in the place of `:endpoint`. */
  readonly endpoint: string;
  readonly query: URLSearchParams;
  /** It came with the token, or none is asked for. */
  readonly trusted: boolean;
  /** Who asks, for the log: an address, or `unix`. */
  readonly by: string;
  /** The JSON in the body; undefined when there is none. */
  readonly body: unknown;
}

/** One thing that the admin API does. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Segments `:pool` and `:endpoint` stand for any one segment. */
  readonly path: string;
  /** For the index. */
  readonly summary: string;
  /** Answers without the token. */
  readonly open?: true;
  /** Needs a body of JSON. */
  readonly takesBody?: true;
  answer(request: AdminRequest): Response | Promise<Response>;
}

/** What a path leads to: routes by method, and what the names in it stand for. */
export interface RouteMatch {
  readonly byMethod: ReadonlyMap<string, AdminRoute>;
  readonly pool: string;
  readonly endpoint: string;
}

/** The routes of a path; undefined when there is nothing. `path` is as in the URL, percent-encoded. */
export function matchPath(routes: readonly AdminRoute[], path: string): RouteMatch | undefined {
  const segments = path.split('/').map(decodeSegment);
  const byMethod = new Map<string, AdminRoute>();
  let pool = '';
  let endpoint = '';
  for (const route of routes) {
    const pattern = route.path.split('/');
    if (!fits(pattern, segments)) continue;
    pool = segments[pattern.indexOf(':pool')] ?? '';
    endpoint = segments[pattern.indexOf(':endpoint')] ?? '';
    byMethod.set(route.method, route);
  }
  return byMethod.size === 0 ? undefined : { byMethod, pool, endpoint };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  );
}

/** Empty when the encoding is broken. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
