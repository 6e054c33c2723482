import { respondError } from './respond.ts';
import type { AdminState } from './state.ts';

/**
 * Stands for everything that operators decide: another after a reload, a change at run time and a restart. Counters, health and the
 * load are left out, or it would be another every time and protect nobody.
 */
export function currentEtag({ view, endpoints }: AdminState): string {
  return `"${view.startWallMs.toString(36)}-${view.revision()}-${endpoints.version()}"`;
}

/**
 * Refuses when If-Match names a state that is no longer so: somebody else has changed something since the client looked. Without
 * If-Match the change is made. Weak tags never match (RFC 9110 section 13.1.1).
 */
export function refuseStale(headers: Headers, state: AdminState): Response | undefined {
  const wanted = headers.get('if-match')?.trim();
  if (wanted === undefined || wanted === '*') return undefined;
  const current = currentEtag(state);
  // Our tags have no comma in them.
  if (wanted.split(',').some((tag) => tag.trim() === current)) return undefined;
  return respondError('precondition_failed', 'It was changed since you looked. Look again, then decide.', {
    etag: current,
  });
}
