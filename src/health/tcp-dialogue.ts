import type { Expectation, TcpCheck } from '../config/schema/send-expect.ts';
import { bytesOf } from '../config/written-bytes.ts';
import { MORE, type Step, type Verdict } from './dialogue-probe.ts';
import { matcherOf } from './expected-bytes.ts';
import { shownBytes } from './probe.ts';

/** The steps of `healthCheck.tcp`; none when it only connects. */
export function tcpDialogue(check: TcpCheck): Step[] {
  const { send, expect } = check;
  const steps = check.steps ?? (send === undefined && expect === undefined ? [] : [{ send, expect }]);
  return steps.map((step, index) => ({
    name: steps.length === 1 ? 'answer' : `step ${index + 1}`,
    send: step.send === undefined ? undefined : bytesOf(step.send),
    judge: step.expect === undefined ? undefined : judgeOf(step.expect),
  }));
}

function judgeOf(expected: Expectation): (received: Buffer) => Verdict {
  const matcher = matcherOf(expected);
  return (received) => {
    const match = matcher.match(received);
    if (match === 'more') return MORE;
    if (match === 'never')
      return { kind: 'failed', detail: `${shownBytes(received)} is not an answer that ${matcher.words}` };
    return { kind: 'met', bytes: match.end };
  };
}
