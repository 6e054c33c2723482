import type { AdminState } from './state.ts';

/** A request that was let in. */
export interface AdminRequest {
  readonly state: AdminState;
  readonly headers: Headers;
  /** What stood in the place of `:name` in the path. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** It came with the token, or none is asked for. */
  readonly trusted: boolean;
}

/** One thing that the admin API does. */
export interface AdminRoute {
  readonly method: 'GET';
  /** The last segment may be `:name`, which stands for any one segment. */
  readonly path: string;
  /** For the index. */
  readonly summary: string;
  /** Answers without the token. */
  readonly open?: true;
  answer(request: AdminRequest): Response | Promise<Response>;
}

/** What a path leads to: routes by method, and what `:name` stands for. */
export interface RouteMatch {
  readonly byMethod: ReadonlyMap<string, AdminRoute>;
  readonly name: string;
}

/** The routes of a path; undefined when there is nothing. `path` is as in the URL, percent-encoded. */
export function matchPath(routes: readonly AdminRoute[], path: string): RouteMatch | undefined {
  const slash = path.lastIndexOf('/');
  const segment = decodeSegment(path.slice(slash + 1));
  const pattern = `${path.slice(0, slash)}/:name`;
  const byMethod = new Map<string, AdminRoute>();
  for (const route of routes) {
    if (route.path === path || (route.path === pattern && segment !== '')) byMethod.set(route.method, route);
  }
  return byMethod.size === 0 ? undefined : { byMethod, name: segment };
}

/** Empty when the encoding is broken. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
