import type { LocalReply } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import type { ChallengeSource } from '../model/ports.ts';
import { challengeReply, isChallenge } from './acme-challenge.ts';
import { applyMaxForwards } from './max-forwards.ts';

/** What Pointsman answers before it looks for a route, because the request is for itself; undefined for nearly all. */
export function unroutedAnswer(
  request: RequestHead,
  challenges: ChallengeSource | undefined,
): LocalReply | undefined {
  if (request.method === 'OPTIONS') {
    const answer = applyMaxForwards(request);
    if (answer !== undefined) return answer;
  }
  if (challenges === undefined || !isChallenge(request)) return undefined;
  return challengeReply(request, challenges);
}
