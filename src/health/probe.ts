import type { FailureCode } from '../model/failures.ts';
import type { connectDatagrams } from '../net/datagrams.ts';
import type { dial } from '../net/dial.ts';
import type { resolveHost } from '../net/resolve.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { tlsHandshake } from '../net/tls-handshake.ts';
import type { Clock } from '../util/clock.ts';

/** What probes need of the outside. */
export interface ProbeDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dial: typeof dial;
  readonly resolve: typeof resolveHost;
  readonly connectDatagrams: typeof connectDatagrams;
  readonly tlsHandshake: typeof tlsHandshake;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** It failed for want of something of ours, such as a descriptor: the endpoint was not tried. */
  readonly untried?: boolean;
  /** For people: `GET /health answered 500`. */
  readonly detail: string;
}

/**
 * Tries an endpoint once. `done` is called once, and not before this returns. The returned function gives up: then `done`
 * is not called.
 */
export type Probe = (done: (result: ProbeResult) => void) => () => void;

const DIAL_FAILURES: Partial<Record<FailureCode, string>> = {
  connect_refused: 'connection refused',
  connect_timeout: 'no connection in time',
  dns_failed: 'name not resolved',
  no_descriptor: 'not checked for want of a descriptor, memory or port',
};

/** What a failed dial says of an endpoint. */
export function failedDial(code: FailureCode, detail: string): ProbeResult {
  const words = `${DIAL_FAILURES[code] ?? 'cannot connect'} (${detail})`;
  return code === 'no_descriptor' ? untried(words) : { passed: false, detail: words };
}

/** The result when a check could not be made at all. */
export function untried(detail: string): ProbeResult {
  return { passed: false, untried: true, detail };
}

/** More of an answer is not shown. */
const MAX_SHOWN_BYTES = 48;

/** Bytes of a peer for people: quoted, on one line, cut when long. */
export function shownBytes(bytes: Buffer): string {
  const shown = JSON.stringify(bytes.toString('latin1', 0, MAX_SHOWN_BYTES)).replaceAll(
    /[\x7f-\xff]/g,
    (character) => String.raw`\x${character.charCodeAt(0).toString(16)}`,
  );
  return bytes.length > MAX_SHOWN_BYTES ? `${shown.slice(0, -1)}..."` : shown;
}
