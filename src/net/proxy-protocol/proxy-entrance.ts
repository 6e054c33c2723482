import type { ListenerProxyProtocolConfig } from '../../config/schema/proxy-protocol.ts';
import type { FailureCode } from '../../model/failures.ts';
import { NetworkSet } from '../../util/network-set.ts';
import { type Enlisted, Roster } from '../../util/roster.ts';
import type { Connection, ConnectionHandler } from '../connection.ts';
import { Deadline, type Timed, type TimerWheel } from '../timer-wheel.ts';
import { parseProxyHeader } from './parse-proxy-header.ts';

/** Who has to introduce its clients. */
export interface ProxyRules {
  /** Peers that are believed. */
  readonly from: NetworkSet;
  /** Nobody else is served, and nobody without a header. */
  readonly required: boolean;
  /** How long a header may take, milliseconds. */
  readonly timeoutMs: number;
}

/** The rules that a listener's configuration asks for. */
export function proxyRulesOf(config: ListenerProxyProtocolConfig | undefined): ProxyRules | undefined {
  if (config === undefined) return undefined;
  return { from: new NetworkSet(config.from), required: config.required, timeoutMs: config.timeout };
}

/** Serves connections once it is known whom they stand for. */
export interface IntroducedAcceptor {
  /** Returns who serves the connection from now on; undefined to close it. */
  onIntroduced(connection: Connection): ConnectionHandler | undefined;
  /** It is closed, for this reason. */
  onNotIntroduced(code: FailureCode): void;
}

/**
 * Where the connections of a listener come in that may stand behind other balancers (PROXY protocol): reads what a trusted peer says of
 * its client, before anything else, TLS included. Nothing that another peer sends is looked at.
 */
export class ProxyEntrance {
  /** Undefined: nobody introduces anybody. Holds for connections from now on. */
  rules: ProxyRules | undefined;
  readonly #wheel: TimerWheel;
  readonly #acceptor: IntroducedAcceptor;
  readonly #intakes = new Roster<ProxyIntake>();

  constructor(rules: ProxyRules | undefined, wheel: TimerWheel, acceptor: IntroducedAcceptor) {
    this.rules = rules;
    this.#wheel = wheel;
    this.#acceptor = acceptor;
  }

  /** Who serves a new connection first; undefined to close it. */
  enter(connection: Connection): ConnectionHandler | undefined {
    const { rules } = this;
    if (rules === undefined) return this.#acceptor.onIntroduced(connection);
    if (rules.from.contains(connection.peerAddress)) {
      const intake = new ProxyIntake(connection, rules, this.#wheel, this.#acceptor);
      this.#intakes.add(intake);
      return intake;
    }
    if (!rules.required) return this.#acceptor.onIntroduced(connection);
    this.#acceptor.onNotIntroduced('proxy_untrusted');
    return undefined;
  }

  /** Whether that handler was given out here, and is not released yet. */
  holds(handler: ConnectionHandler): boolean {
    return handler instanceof ProxyIntake && this.#intakes.has(handler);
  }

  /** The connection that was first served by `handler` is gone. Returns who served it last; undefined when nobody did after us. */
  release(handler: ConnectionHandler): ConnectionHandler | undefined {
    if (!(handler instanceof ProxyIntake)) return handler;
    this.#intakes.delete(handler);
    return handler.served;
  }

  /** Closes the connections whose header is not there. */
  abandon(): void {
    for (const intake of this.#intakes) intake.abandon();
  }
}

/** Serves a connection until its header is there. */
class ProxyIntake implements ConnectionHandler, Timed, Enlisted {
  place = -1;
  /** Who serves it after us. */
  served: ConnectionHandler | undefined = undefined;
  readonly #connection: Connection;
  readonly #rules: ProxyRules;
  readonly #acceptor: IntroducedAcceptor;
  readonly #deadline: Deadline;
  /** What has come of a header that is not whole. */
  #early: Buffer | undefined = undefined;
  /** It can be nothing but a header. */
  #certain = false;
  #over = false;

  constructor(connection: Connection, rules: ProxyRules, wheel: TimerWheel, acceptor: IntroducedAcceptor) {
    this.#connection = connection;
    this.#rules = rules;
    this.#acceptor = acceptor;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(rules.timeoutMs);
  }

  onData(bytes: Buffer): void {
    if (this.#over) return;
    const all = this.#early === undefined ? bytes : Buffer.concat([this.#early, bytes]);
    const verdict = parseProxyHeader(all);
    switch (verdict.kind) {
      case 'more':
        this.#certain = verdict.certain;
        this.#early = all === bytes ? Buffer.from(bytes) : all;
        return;
      case 'none':
        if (this.#rules.required) this.#refuse('proxy_missing');
        else this.#pass(all, 0);
        return;
      case 'refused':
        this.#refuse('proxy_malformed');
        return;
      case 'header':
        this.#connection.introduce(verdict.header);
        this.#pass(all, verdict.end);
        return;
    }
  }

  /** What follows the header belongs to whoever serves the connection now; so does everything when there is none. */
  #pass(bytes: Buffer, end: number): void {
    this.#finish();
    const connection = this.#connection;
    const served = this.#acceptor.onIntroduced(connection);
    if (served === undefined) {
      connection.reset();
      return;
    }
    this.served = served;
    connection.handler = served;
    if (end < bytes.length) served.onData(bytes.subarray(end));
  }

  #refuse(code: FailureCode): void {
    this.#finish();
    this.#acceptor.onNotIntroduced(code);
    this.#connection.reset();
  }

  #finish(): void {
    this.#over = true;
    this.#early = undefined;
    this.#deadline.cancel();
  }

  /** A client that waits for us to speak first sends nothing: where no header is required, it is served now. */
  onDeadline(): void {
    if (this.#rules.required || this.#certain) this.#refuse('proxy_timeout');
    else this.#pass(this.#early ?? Buffer.alloc(0), 0);
  }

  onEnd(): void {
    this.abandon();
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#finish();
  }

  /** It is not worth waiting for any more. Without effect once the connection is passed on. */
  abandon(): void {
    if (this.#over) return;
    this.#finish();
    this.#connection.close();
  }
}
