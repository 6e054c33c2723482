import { readJson } from './body.ts';
import { type Guard, isForeignOrigin } from './guard.ts';
import { respondError } from './respond.ts';
import { type AdminRequest, type AdminRoute, matchPath, type RouteMatch } from './route.ts';
import { ADMIN_ROUTES } from './routes.ts';
import type { AdminState } from './state.ts';

/** Answers one request of `by`. HEAD is GET; the server leaves the body out. */
export type AdminHandler = (request: Request, by: string) => Response | Promise<Response>;

/** What answers the requests of an admin listener. */
export function createHandler(guard: Guard, state: AdminState): AdminHandler {
  return (request, by) => {
    const { headers } = request;
    if (!guard.allowsHost(headers.get('host')))
      return respondError('host_not_allowed', 'Host is neither loopback nor the address of this listener.');
    // Without Host, and for targets that begin with two slashes, the URL is only a path.
    const url = URL.parse(request.url.replace(/^\/+/, '/'), 'http://localhost');
    const match = matchPath(ADMIN_ROUTES, url?.pathname ?? '');
    const route = match?.byMethod.get(request.method === 'HEAD' ? 'GET' : request.method);
    const trusted = guard.trusts(headers.get('authorization'));
    if (!trusted && route?.open !== true) {
      return respondError('unauthorized', 'Send the token of admin.token as "Authorization: Bearer TOKEN".', {
        'www-authenticate': 'Bearer realm="pointsman"',
      });
    }
    if (match === undefined || url === null)
      return respondError('not_found', 'There is nothing here; / lists what there is.');
    if (route === undefined) return methodNotAllowed(match);
    if (route.method !== 'GET' && isForeignOrigin(headers))
      return respondError('origin_not_allowed', 'A page of another origin may change nothing here.');
    const { pool, endpoint } = match;
    const known = { state, headers, pool, endpoint, query: url.searchParams, trusted, by };
    // Probes want to know at once, and nothing that changes all the time.
    if (route.open === true) return route.answer({ ...known, body: undefined });
    return answerFresh(request, route, known);
  };
}

/** Answers with counters as they are now; the body is read first, because it takes as long as the client likes. */
async function answerFresh(
  request: Request,
  route: AdminRoute,
  known: Omit<AdminRequest, 'body'>,
): Promise<Response> {
  const read = route.takesBody === true ? await readJson(request) : { json: undefined };
  if (read instanceof Response) return read;
  await known.state.refresh();
  const answer = await route.answer({ ...known, body: read.json });
  // Who has changed something may rely on it from the next request on.
  if (route.method !== 'GET') await known.state.settle();
  return answer;
}

function methodNotAllowed({ byMethod }: RouteMatch): Response {
  const allowed = [...byMethod.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method));
  return respondError('method_not_allowed', `${allowed.join(', ')} is what this path takes.`, {
    allow: allowed.join(', '),
  });
}
