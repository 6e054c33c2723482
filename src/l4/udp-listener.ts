import type { UdpListenerConfig } from '../config/schema/udp-listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { ClientCells } from '../model/shared/cells.ts';
import { drawArm } from '../model/weighted-arms.ts';
import type { Party } from '../net/datagram-socket.ts';
import { isExhaustion } from '../net/exhaustion.ts';
import { partyIp } from '../net/party.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import { AgeList } from '../util/age-list.ts';
import { Roster } from '../util/roster.ts';
import { ClientLimits, perClientOf } from './client-limits.ts';
import type { L4Shared } from './l4-shared.ts';
import { SessionRules } from './session-rules.ts';
import { SessionTable } from './session-table.ts';
import type { TcpTarget } from './tcp-listener.ts';
import { UdpSession } from './udp-session.ts';
import type { UdpWay } from './udp-way.ts';

/** How long a session may be silent once its socket is to close, milliseconds. */
const LAST_WORDS_MS = 1000;
/** ... and how long it may last, silent or not. */
const LAST_SESSION_MS = 30_000;
/** Between two lines in the log about the same trouble, milliseconds. */
const COMPLAIN_EVERY_MS = 10_000;

/** Serves the UDP clients of one listener. */
export class UdpListener {
  readonly transport = 'udp';
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L4Shared;
  rules: SessionRules;
  /** Silence that ends a session, milliseconds. */
  idleMs = 0;
  /** Bytes of answers at most for each byte of requests; Infinity without a limit. */
  amplification = Number.POSITIVE_INFINITY;
  #config: UdpListenerConfig;
  #target: TcpTarget;
  /** It takes no new sessions. */
  #closed = false;
  /** By client; those that have sent all that they may are not among them. */
  readonly #table: SessionTable<UdpSession>;
  readonly #sessions = new Roster<UdpSession>();
  /** Those without an answer, the oldest first. */
  readonly #unanswered = new AgeList<UdpSession>();
  readonly #clients: ClientLimits;
  #complainedMs = Number.NEGATIVE_INFINITY;

  constructor(
    config: UdpListenerConfig,
    target: TcpTarget,
    stats: ListenerStats,
    shared: L4Shared,
    clients?: ClientCells,
  ) {
    this.name = config.name;
    this.stats = stats;
    this.shared = shared;
    this.#config = config;
    this.#target = target;
    this.#table = new SessionTable(shared.random);
    this.#clients = new ClientLimits(perClientOf(config), clients);
    this.rules = new SessionRules(config.session);
    this.configure(config, target, clients);
  }

  /** Adopts a new configuration. Open sessions keep their endpoints; the next datagram of each counts by the new numbers. */
  configure(config: UdpListenerConfig, target: TcpTarget, clients?: ClientCells): void {
    this.#config = config;
    this.#target = target;
    this.#clients.configure(perClientOf(config), clients);
    this.idleMs = config.timeouts.idle;
    this.amplification = config.limits.amplification ?? Number.POSITIVE_INFINITY;
    this.rules = new SessionRules(config.session);
  }

  /** A datagram of a client. `way`: by which it came. */
  onDatagram(bytes: Buffer, length: number, party: Party, way: UdpWay): void {
    const { stats } = this;
    stats.datagramsIn++;
    stats.bytesIn += length;
    (this.#table.find(party) ?? this.#begin(party, way))?.forward(bytes, length);
  }

  /** Whether that client has a session here. */
  knows(party: Party): boolean {
    return this.#table.find(party) !== undefined;
  }

  #begin(party: Party, way: UdpWay): UdpSession | undefined {
    if (this.#closed || way.closing) return this.#refuse('shutting_down');
    const { stats } = this;
    const most = this.#config.limits.sessions;
    const claim = this.#clients.limits ? this.#clients.enter(partyIp(party), turnNowMs()) : undefined;
    if (typeof claim === 'string') return this.#refuse(claim);
    if (!stats.connections.take(most) && !(this.#evict() && stats.connections.take(most))) {
      claim?.give();
      return this.#refuse('session_limit');
    }
    stats.connectionsTotal++;
    const target = this.#target;
    const l4Pool = 'arms' in target ? drawArm(target, this.shared.random) : target;
    const session = new UdpSession(this, l4Pool, way, party, claim);
    this.#sessions.add(session);
    this.#unanswered.add(session);
    if (!this.rules.single) this.#table.add(session);
    way.sessionBegan();
    return session;
  }

  #refuse(code: FailureCode): undefined {
    this.stats.connectionsRejected++;
    this.stats.countFailure(code);
    return undefined;
  }

  /** Ends the oldest session that nobody answered: with forged senders, one of theirs. */
  #evict(): boolean {
    const { oldest } = this.#unanswered;
    oldest?.finish('session_evicted');
    return oldest !== undefined;
  }

  /** The next datagram of its client begins another session. */
  spent(session: UdpSession): void {
    this.#table.remove(session);
  }

  /** It has had its first answer. */
  answered(session: UdpSession): void {
    this.#unanswered.delete(session);
  }

  answer(session: UdpSession, bytes: Buffer, length: number): void {
    this.stats.datagramsOut++;
    this.stats.bytesOut += length;
    session.way.send(session.party, bytes, length);
  }

  /** A datagram came to nothing, and the session goes on. */
  dropped(code: FailureCode): void {
    this.stats.countFailure(code);
  }

  /** There is no socket to be had for an endpoint. */
  noSocket(endpoint: Endpoint, error: unknown): FailureCode {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const nowMs = turnNowMs();
    if (nowMs - this.#complainedMs >= COMPLAIN_EVERY_MS) {
      this.#complainedMs = nowMs;
      this.shared.log.error('no-udp-socket', {
        listener: this.name,
        endpoint: endpoint.name,
        reason,
        sessions: this.#sessions.size,
      });
    }
    return isExhaustion(reason) ? 'no_descriptor' : 'connect_failed';
  }

  /** A session is over. */
  finished(session: UdpSession, failure: FailureCode | undefined): void {
    this.#table.remove(session);
    this.#sessions.delete(session);
    this.#unanswered.delete(session);
    this.stats.connections.give();
    if (failure !== undefined) this.stats.countFailure(failure);
    session.claim?.give();
    session.way.sessionEnded();
    const { accessLog, clock } = this.shared;
    if (accessLog === undefined) return;
    const durationMs = turnNowMs() - session.startMs;
    accessLog.recordSession({
      startWallMs: clock.wallMs() - durationMs,
      durationMs,
      listener: this.name,
      protocol: 'UDP',
      failure: failure ?? '',
      ...session.summary(),
    });
  }

  /** Open sessions. */
  get busy(): number {
    return this.#sessions.size;
  }

  /** Takes no new sessions. Those that are open end when they are silent. */
  drain(): void {
    this.#closed = true;
    if (this.idleMs <= LAST_WORDS_MS) return;
    this.idleMs = LAST_WORDS_MS;
    for (const session of this.#sessions) session.hasten(LAST_WORDS_MS);
  }

  /** Takes no new sessions: another listener has its name or address. Those that are open go on as they were. */
  leave(): void {
    this.#closed = true;
  }

  /** The address is given up: sessions that came by this way end when they are silent, and soon in any case. */
  retire(way: UdpWay): void {
    const leaving = [...this.#sessions].filter((session) => session.way === way);
    if (leaving.length === 0) return;
    for (const session of leaving) session.hasten(LAST_WORDS_MS);
    const cut = (): void => {
      for (const session of leaving) session.finish('shutting_down');
    };
    new Deadline(this.shared.wheel, { onDeadline: cut }).start(LAST_SESSION_MS);
  }

  /** Silence that ends a session which came by this way, milliseconds. */
  idleMsOf(way: UdpWay): number {
    return way.closing && this.idleMs > LAST_WORDS_MS ? LAST_WORDS_MS : this.idleMs;
  }

  /** Ends the sessions with `endpoint`: their clients get another one with the next datagram. */
  closeSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions)
      if (session.endpoint === endpoint) session.finish('endpoint_drained');
  }

  /** Ends the sessions with `endpoint`, which is down. */
  cutSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions)
      if (session.endpoint === endpoint) session.finish('endpoint_unhealthy');
  }

  /** Ends what is still open. Returns how many sessions that was. */
  cut(): number {
    const cut = this.#sessions.size;
    for (const session of this.#sessions) session.finish('shutting_down');
    return cut;
  }
}
