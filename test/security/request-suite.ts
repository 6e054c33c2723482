import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import { type HttpMessage, parseRequests } from '../support/strict-http.ts';
import type { RivalName } from '../support/rivals.ts';
import { dial } from '../support/wire.ts';
import { innocentOnNew, innocentOnSame, isInnocent } from './innocent.ts';
import { type Lane, Lanes } from './lanes.ts';

/** Looks at the requests that the endpoint received, all of them already known to be canonical. */
export type Check = (requests: readonly HttpMessage[], answers: readonly HttpMessage[]) => void;

export type Expected =
  /** Answered with one of these statuses, then closed. With `midBody`, the head may have gone on before; never the end. */
  | { readonly kind: 'refused'; readonly statuses: readonly number[]; readonly midBody: boolean }
  /** Forwarded as `count` requests, each answered. */
  | { readonly kind: 'forwarded'; readonly count: number; readonly check: Check }
  /** Both are right. */
  | { readonly kind: 'either'; readonly statuses: readonly number[]; readonly check: Check };

export interface RequestCase {
  readonly name: string;
  /** Exact bytes; an array is sent as separate segments. */
  readonly send: string | readonly string[];
  readonly expected: Expected;
  /** Method of the requests sent, where it decides how answers are read. */
  readonly method?: string;
  /** Send a FIN behind the bytes. */
  readonly fin?: boolean;
}

const anything: Check = () => undefined;

export function refused(...statuses: number[]): Expected {
  return { kind: 'refused', statuses, midBody: false };
}

export function refusedMidBody(...statuses: number[]): Expected {
  return { kind: 'refused', statuses, midBody: true };
}

export function forwarded(check: Check = anything, count = 1): Expected {
  return { kind: 'forwarded', count, check };
}

export function either(statuses: readonly number[], check: Check = anything): Expected {
  return { kind: 'either', statuses, check };
}

/** The forwarded request has this body. */
export function body(text: string): Check {
  return ([request]) => expect(request?.body.toString('latin1')).toBe(text);
}

/** A request head of these lines behind a good request line and Host. */
export function head(method: string, ...lines: string[]): string {
  return [`${method} /attack HTTP/1.1`, 'Host: a.test', ...lines, '', ''].join('\r\n');
}

/** A request that must never come out at the other side. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n';

/** What was seen on both sides of the proxy. */
export interface Observation {
  readonly answers: readonly HttpMessage[];
  /** What the client received is no response, at this point. */
  readonly clientViolation: string | undefined;
  readonly closed: boolean;
  /** Requests of the attack that the endpoint received whole. */
  readonly requests: readonly HttpMessage[];
  /** What the endpoint received is ambiguous, at this point. */
  readonly endpointViolation: string | undefined;
  /** Connections on which a request began and did not end. */
  readonly partial: number;
  /** Of those, connections that were left open. */
  readonly dangling: number;
  readonly sameInnocent: string | undefined;
  readonly newInnocent: string | undefined;
}

/** What must come is waited for so long. Less than an idle connection may last, which would be closed without a fault. */
const PATIENCE_MS = 10_000;
/** How long nothing must come behind the answers. */
const QUIET_MS = 150;

/** Whether the answers so far are those to a request that is refused, behind which the connection is closed. */
function isRefusal(expected: Expected, answers: readonly HttpMessage[]): boolean {
  if (expected.kind === 'forwarded') return false;
  return expected.kind === 'refused' || expected.statuses.includes(answers[0]?.status ?? 0);
}

/** Runs one case and reports; judges nothing. */
export async function observe(lane: Lane, item: RequestCase): Promise<Observation> {
  const wire = await dial(lane.proxy);
  const pieces = typeof item.send === 'string' ? [item.send] : item.send;
  await wire.sendPieces(pieces, pieces.length > 10 ? 3 : 30);
  if (item.fin === true) wire.halfClose();
  const wanted = item.expected.kind === 'forwarded' ? item.expected.count : 1;
  const answers: HttpMessage[] = [];
  let clientViolation: string | undefined;
  for (;;) {
    const parsed = await wire.response(
      item.method ?? 'GET',
      answers.length < wanted ? PATIENCE_MS : QUIET_MS,
    );
    if (parsed.kind === 'message') answers.push(parsed.message);
    else {
      if (parsed.kind === 'violation') clientViolation = parsed.reason;
      break;
    }
  }
  if (isRefusal(item.expected, answers)) await wire.ends(PATIENCE_MS);
  const closed = wire.ending !== 'open';
  const sameInnocent = await innocentOnSame(wire, answers.at(-1));
  const newInnocent = await innocentOnNew(lane.proxy);
  wire.close();
  const conversations = lane.endpoint.wires.map((peer) => ({ peer, ...parseRequests(peer.received) }));
  const partial = conversations.filter(({ rest }) => rest.length > 0);
  for (const { peer } of partial) await peer.ends(PATIENCE_MS);
  return {
    answers,
    clientViolation,
    closed,
    requests: conversations.flatMap(({ messages }) => messages.filter((message) => !isInnocent(message))),
    endpointViolation: conversations.find(({ violation }) => violation !== undefined)?.violation,
    partial: partial.length,
    dangling: partial.filter(({ peer }) => peer.ending === 'open').length,
    sameInnocent,
    newInnocent,
  };
}

function judgeForwarded(seen: Observation, count: number, check: Check): void {
  expect(seen.answers.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => 200));
  expect(seen.requests.length).toBe(count);
  expect(seen.partial).toBe(0);
  for (const request of seen.requests) {
    expect(valueOf(request, 'connection') ?? 'keep-alive').toMatch(
      /^((keep-alive|close|upgrade|te)(, |$))+$/i,
    );
    expect(valueOf(request, 'keep-alive') ?? valueOf(request, 'proxy-connection')).toBeUndefined();
  }
  check(seen.requests, seen.answers);
}

function judgeRefused(seen: Observation, statuses: readonly number[], midBody: boolean): void {
  expect(seen.requests.map(({ startLine }) => startLine)).toEqual([]);
  expect(seen.answers.length).toBe(1);
  expect(statuses).toContain(seen.answers[0]?.status ?? 0);
  expect(seen.closed).toBe(true);
  if (!midBody) expect(seen.partial).toBe(0);
  expect(seen.dangling).toBe(0);
}

/** Fails with the reason when what was seen is not safe, or not what was expected. */
export function judge(seen: Observation, expected: Expected): void {
  expect(seen.endpointViolation).toBeUndefined();
  expect(seen.clientViolation).toBeUndefined();
  expect(seen.newInnocent).toBeUndefined();
  expect(seen.sameInnocent).toBeUndefined();
  if (expected.kind === 'refused') judgeRefused(seen, expected.statuses, expected.midBody);
  else if (expected.kind === 'forwarded') judgeForwarded(seen, expected.count, expected.check);
  else if (seen.requests.length === 0) judgeRefused(seen, expected.statuses, true);
  else judgeForwarded(seen, 1, expected.check);
}

/** `RIVAL=nginx bun test test/security` shows what a rival does with the same cases. */
function rivalOfEnvironment(): RivalName | undefined {
  const name = process.env['RIVAL'];
  return name === 'nginx' || name === 'haproxy' ? name : undefined;
}

/** Lanes of a test file: started before its tests, stopped behind them, and alive at the end. */
export function useLanes(): () => Lanes {
  let lanes: Lanes | undefined;
  beforeAll(async () => {
    lanes = await Lanes.start(rivalOfEnvironment());
  });
  afterAll(async () => {
    const alive = lanes?.alive;
    await lanes?.stop();
    expect(alive).toBe(true);
  });
  return () => {
    if (lanes === undefined) throw new Error('the lanes did not start');
    return lanes;
  };
}

/** One test for each case, all through one process, many at a time. */
export function describeRequests(title: string, cases: readonly RequestCase[]): void {
  describe(title, () => {
    const lanes = useLanes();
    for (const item of cases) {
      test.concurrent(
        item.name,
        async () => {
          judge(await lanes().with((lane) => observe(lane, item)), item.expected);
        },
        15_000,
      );
    }
  });
}
