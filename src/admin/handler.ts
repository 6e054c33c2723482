import type { AdminConfig } from '../config/schema/admin.ts';
import { Guard } from './guard.ts';
import { respondError } from './respond.ts';
import { matchPath } from './route.ts';
import { ADMIN_ROUTES } from './routes.ts';
import type { AdminState } from './state.ts';

/** Answers one request. HEAD is GET; the server leaves the body out. */
export type AdminHandler = (request: Request) => Response | Promise<Response>;

/** What answers the requests of an admin listener. */
export function createHandler(config: AdminConfig, state: AdminState): AdminHandler {
  const guard = new Guard(config);
  return (request) => {
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
    if (route === undefined) {
      const allowed = [...match.byMethod.keys()].flatMap((method) =>
        method === 'GET' ? ['GET', 'HEAD'] : method,
      );
      return respondError('method_not_allowed', `${allowed.join(', ')} is what this path takes.`, {
        allow: allowed.join(', '),
      });
    }
    return route.answer({ state, headers, name: match.name, query: url.searchParams, trusted });
  };
}
