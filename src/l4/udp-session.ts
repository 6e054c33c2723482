import { triesOn } from '../connector/reach.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { PickRequest } from '../model/picker.ts';
import type { PoolView } from '../model/pool.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import type { TallyClaim } from '../model/shared/tally-table.ts';
import type { DatagramHandler, DatagramSocket, Party, Sent } from '../net/datagram-socket.ts';
import { partyIp, partyPort } from '../net/party.ts';
import { Deadline, type Timed } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import type { Aged } from '../util/age-list.ts';
import type { Enlisted } from '../util/roster.ts';
import type { L4Pool } from './l4-pool.ts';
import type { PartyEntry } from './session-table.ts';
import type { UdpListener } from './udp-listener.ts';
import type { UdpWay } from './udp-way.ts';

const NONE_TRIED: readonly Endpoint[] = [];
/** Endpoints tried for one datagram that was not sent. */
const MAX_TRIES = 3;
/** A larger datagram is not kept for another endpoint: senders can be forged, and each session may hold this much. */
const KEPT_BYTES = 1500;
const NOTHING_KEPT = Buffer.alloc(0);

/**
 * The datagrams from one client address and port to one of ours, and their answers. It has a socket of its own to its endpoint, so that
 * answers find back and refusals are heard. An endpoint that goes is replaced with the next datagram.
 */
export class UdpSession
  implements DatagramHandler, Timed, PickRequest, PartyEntry<UdpSession>, Enlisted, Aged<UdpSession>
{
  partyHash = 0;
  nextOfBucket: UdpSession | undefined = undefined;
  place = -1;
  older: UdpSession | undefined = undefined;
  younger: UdpSession | undefined = undefined;
  listed = false;
  readonly party: Party;
  /** What its client has of the limit for one; undefined when that is not counted. */
  readonly claim: TallyClaim | undefined;
  /** By which its answers leave. */
  readonly way: UdpWay;
  readonly l4Pool: L4Pool;
  readonly hash: number;
  readonly startMs: number = turnNowMs();
  tried: readonly Endpoint[] = NONE_TRIED;
  /** The endpoint that it was given last. */
  endpoint: Endpoint | undefined = undefined;
  /** Endpoints that it was given. */
  attempts = 0;
  requests = 0;
  responses = 0;
  bytesIn = 0;
  bytesOut = 0;
  over = false;
  readonly #listener: UdpListener;
  readonly #deadline: Deadline;
  #acquired = false;
  #socket: DatagramSocket | undefined = undefined;
  /** Of its pool, when it was last looked at. */
  #view: PoolView | undefined = undefined;
  /** When the datagram was sent whose answer tells how fast the endpoint is; -1 when none is waited for. */
  #askedMs = -1;
  /** Datagrams that its endpoint was given since it answered last. */
  #unanswered = 0;
  /** Holds the only one of them, `#keptBytes` long (-1: it does not): if the endpoint refuses, it has refused this one. */
  #kept: Buffer = NOTHING_KEPT;
  #keptBytes = -1;

  constructor(
    listener: UdpListener,
    l4Pool: L4Pool,
    way: UdpWay,
    party: Party,
    claim: TallyClaim | undefined,
  ) {
    this.#listener = listener;
    this.l4Pool = l4Pool;
    this.way = way;
    this.party = party.slice();
    this.claim = claim;
    this.hash = l4Pool.hashes ? l4Pool.hashOf(this.clientIp, this.clientPort) : -1;
    this.#deadline = new Deadline(listener.shared.wheel, this);
    l4Pool.pool.counts.activeRequests.add(1);
    l4Pool.pool.stats.requests++;
  }

  get clientIp(): string {
    return partyIp(this.party);
  }

  get clientPort(): number {
    return partyPort(this.party);
  }

  /** Passes a datagram of the client on. */
  forward(bytes: Buffer, length: number): void {
    const listener = this.#listener;
    this.requests++;
    this.bytesIn += length;
    this.#deadline.start(listener.idleMsOf(this.way));
    if (this.#view !== this.l4Pool.pool.view) this.#look();
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (!this.#acquired && !this.#pick()) return;
      const sent = this.#socket!.send(bytes, length);
      if (sent === 'refused') {
        // An earlier datagram was; this one was not sent, so another endpoint can have it.
        this.onRefused('ECONNREFUSED');
        if (this.over) return;
        continue;
      }
      this.#keep(bytes, length);
      this.#count(sent, length);
      break;
    }
    if (listener.rules.isSpent(this.requests)) listener.spent(this);
    if (listener.rules.isComplete(this.requests, this.responses)) this.finish(undefined);
  }

  #keep(bytes: Buffer, length: number): void {
    this.#keptBytes = -1;
    if (this.#unanswered++ > 0 || length > KEPT_BYTES) return;
    // Memory of its own: a piece of a shared buffer would keep all of that.
    if (this.#kept.length < length) this.#kept = Buffer.allocUnsafeSlow(length);
    bytes.copy(this.#kept, 0, 0, length);
    this.#keptBytes = length;
  }

  #count(sent: Exclude<Sent, 'refused'>, length: number): void {
    if (sent === 'lost') this.#listener.dropped('datagram_lost');
    else this.endpoint!.stats.bytesOut += length;
  }

  /** The pool has changed: an endpoint that takes nothing any more, or has left, is let go. A draining one is kept. */
  #look(): void {
    const { view } = this.l4Pool.pool;
    this.#view = view;
    const endpoint = this.endpoint;
    if (!this.#acquired || endpoint === undefined) return;
    const stays =
      view.available.includes(endpoint) ||
      (availability(endpoint, turnNowMs()) !== 'closed' && view.all.includes(endpoint));
    if (!stays) this.#letGo();
  }

  /** Picks and acquires an endpoint in one step. False when there is none, and then the session is over. */
  #pick(): boolean {
    const { shared } = this.#listener;
    const { pool } = this.l4Pool;
    // Rather one that failed than none.
    const endpoint = shared.balancer.take(pool, this) ?? this.#takeTried();
    if (endpoint === undefined) {
      pool.stats.noEndpoint++;
      this.finish('no_endpoint');
      return false;
    }
    return this.#open(endpoint);
  }

  /** Uses the place that was taken at `endpoint`. False when there is no socket, and then the session is over. */
  #open(endpoint: Endpoint): boolean {
    this.#acquired = true;
    endpoint.counts.sessions.add(1);
    this.#view = this.l4Pool.pool.view;
    this.endpoint = endpoint;
    this.#unanswered = 0;
    this.attempts++;
    this.#askedMs = turnNowMs();
    endpoint.stats.requests++;
    try {
      this.#socket = this.l4Pool.openDatagrams(endpoint, this);
    } catch (error) {
      this.finish(this.#listener.noSocket(endpoint, error));
      return false;
    }
    endpoint.stats.connectionsOpened++;
    return true;
  }

  #takeTried(): Endpoint | undefined {
    if (this.tried.length === 0) return undefined;
    this.tried = NONE_TRIED;
    return this.#listener.shared.balancer.take(this.l4Pool.pool, this);
  }

  /** An answer. */
  onDatagram(bytes: Buffer, length: number): void {
    const listener = this.#listener;
    const endpoint = this.endpoint!;
    endpoint.stats.bytesIn += length;
    if (this.bytesOut + length > this.bytesIn * listener.amplification) {
      listener.dropped('amplification');
    } else {
      this.bytesOut += length;
      listener.answer(this, bytes, length);
    }
    this.responses++;
    this.#unanswered = 0;
    this.#keptBytes = -1;
    this.#deadline.start(listener.idleMsOf(this.way));
    if (this.#askedMs >= 0) this.#firstAnswer(endpoint);
    if (listener.rules.isComplete(this.requests, this.responses)) this.finish(undefined);
  }

  #firstAnswer(endpoint: Endpoint): void {
    const nowMs = turnNowMs();
    const tookMs = nowMs - this.#askedMs;
    this.#askedMs = -1;
    this.tried = NONE_TRIED;
    endpoint.latency?.observe(tookMs, nowMs);
    endpoint.stats.latency.record(tookMs);
    this.#listener.shared.observer.observe(this.l4Pool.pool, endpoint, undefined, 0);
    this.#listener.answered(this);
  }

  onRefused(code: string): void {
    const failure: FailureCode = code === 'ECONNREFUSED' ? 'connect_refused' : 'connect_failed';
    const endpoint = this.endpoint!;
    endpoint.stats.connectFailures++;
    this.#blame(endpoint, failure);
    this.#letGo();
    this.tried = [...this.tried, endpoint];
    if (this.#resend()) return;
    if (this.tried.length > MAX_TRIES) this.tried = [endpoint];
    if (this.#listener.rules.isSpent(this.requests)) this.finish(failure);
    else this.#listener.dropped(failure);
  }

  /** Gives the datagram that was refused, if it was kept, to an endpoint that was not tried. False when there is none. */
  #resend(): boolean {
    const length = this.#keptBytes;
    const { pool } = this.l4Pool;
    const { retry } = pool.config;
    if (length < 0 || retry.attempts === 0) return false;
    if (!triesOn({ failures: this.tried.length, lostMs: 0 }, retry)) return false;
    const endpoint = this.#listener.shared.balancer.take(pool, this);
    if (endpoint === undefined) return false;
    pool.stats.retries++;
    endpoint.stats.retries++;
    if (!this.#open(endpoint)) return true;
    const sent = this.#socket!.send(this.#kept, length);
    this.#unanswered = 1;
    if (sent === 'refused') this.onRefused('ECONNREFUSED');
    else this.#count(sent, length);
    return true;
  }

  #blame(endpoint: Endpoint, failure: FailureCode): void {
    const { pool } = this.l4Pool;
    endpoint.stats.errors++;
    endpoint.latency?.observeFailure(this.#listener.idleMs, turnNowMs());
    this.#listener.shared.observer.observe(pool, endpoint, failure, 0);
  }

  /** Idle for as long as it may be. Where answers are expected and not one came, that is the fault of the endpoint. */
  onDeadline(): void {
    if (this.responses > 0 || !this.#listener.rules.expectsAnswers || this.endpoint === undefined) {
      this.finish(undefined);
      return;
    }
    if (this.#acquired) this.#blame(this.endpoint, 'response_missing');
    this.finish('response_missing');
  }

  /** Ends when there is no datagram for `idleMs`, if that is sooner than it would. */
  hasten(idleMs: number): void {
    this.#deadline.start(idleMs);
  }

  /** Is over, once. `failure` says why, when it is not that nobody has anything to say. */
  finish(failure: FailureCode | undefined): void {
    if (this.over) return;
    this.over = true;
    this.#deadline.cancel();
    this.#letGo();
    this.l4Pool.pool.counts.activeRequests.add(-1);
    this.#listener.finished(this, failure);
  }

  #letGo(): void {
    this.#socket?.close();
    this.#socket = undefined;
    if (!this.#acquired) return;
    this.#acquired = false;
    this.endpoint!.counts.sessions.add(-1);
    this.#listener.shared.balancer.release(this.l4Pool.pool, this.endpoint!);
    this.l4Pool.queue.wake(this.endpoint);
  }

  /** Its part of the access log. */
  summary(): Omit<SessionEntry, 'startWallMs' | 'durationMs' | 'listener' | 'protocol' | 'failure'> {
    const { clientIp, clientPort } = this;
    return {
      route: '',
      serverName: '',
      alpn: '',
      pool: this.l4Pool.pool.name,
      endpoint: this.endpoint?.name ?? '',
      clientIp,
      clientPort,
      peerIp: clientIp,
      peerPort: clientPort,
      requestBytes: this.bytesIn,
      responseBytes: this.bytesOut,
      attempts: this.attempts,
      queuedMs: 0,
      connectMs: 0,
    };
  }
}
