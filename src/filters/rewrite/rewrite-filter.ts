import type { RewriteFilterConfig } from '../../config/schema/filters.ts';
import type { Filter } from '../../model/filter.ts';

const SLASH = 47;

function withoutLastSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * The path with `to` in the place of `prefix`, by whole segments; the path itself when it does not start so. Both are
 * normalised and without last slash. The result is normalised when the path is: it is cut at a slash and put together
 * at one.
 */
function rewritten(path: string, prefix: string, to: string): string {
  if (!path.startsWith(prefix)) return path;
  if (path.length === prefix.length) return to === '' ? '/' : to;
  return path.charCodeAt(prefix.length) === SLASH ? to + path.slice(prefix.length) : path;
}

/** `rewrite`: replaces the leading segments of the path. Query and everything else stay. */
export function rewriteFilter(config: RewriteFilterConfig): Filter {
  const prefix = withoutLastSlash(config.prefix);
  const to = withoutLastSlash(config.to);
  return {
    name: 'rewrite',
    onRequest({ request }) {
      if (request.path !== '*') request.path = rewritten(request.path, prefix, to);
      return undefined;
    },
  };
}
