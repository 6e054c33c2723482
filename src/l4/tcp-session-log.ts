import { turnNowMs } from '../net/turn.ts';
import type { TcpSession, TcpSessionOwner } from './tcp-session.ts';

/** A session is over: its failure is counted, and it goes to the access log. */
export function recordTcpSession({ name, stats, shared }: TcpSessionOwner, session: TcpSession): void {
  if (session.failure !== undefined) stats.countFailure(session.failure);
  if (shared.accessLog === undefined) return;
  const durationMs = turnNowMs() - session.startMs;
  shared.accessLog.recordSession({
    startWallMs: shared.clock.wallMs() - durationMs,
    durationMs,
    listener: name,
    protocol: 'TCP',
    failure: session.failure ?? '',
    ...session.summary(),
  });
}
