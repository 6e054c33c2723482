import { describe, expect, test } from 'bun:test';

import { type HttpMessage, type Parsed, parseRequests } from '../support/strict-http.ts';
import { type Script, echo, echoBody, plainAnswer } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';
import { innocentOnNew, innocentOnSame } from './innocent.ts';
import type { Lane } from './lanes.ts';
import { useLanes } from './request-suite.ts';

export type ResponseCheck = (answer: HttpMessage, interim: readonly HttpMessage[]) => void;

export type ExpectedResponse =
  /** 502 (or another of these) instead of what the endpoint said. */
  | { readonly kind: 'replaced'; readonly statuses: readonly number[] }
  /** 502, or when the head is out already, an end that the client can tell from a good one. */
  | { readonly kind: 'broken' }
  /** Comes through, in one framing. */
  | { readonly kind: 'passed'; readonly check: ResponseCheck }
  | { readonly kind: 'passedOrReplaced'; readonly check: ResponseCheck };

export interface ResponseCase {
  readonly name: string;
  /** Exact bytes of the endpoint; an array is sent as separate segments. */
  readonly answer: string | readonly string[];
  /** What the endpoint does with its connection then. Default: keeps it open. */
  readonly ending?: 'fin' | 'reset';
  /** The whole request. Default: a GET. */
  readonly request?: string;
  readonly expected: ExpectedResponse;
  /** The connection to the endpoint may take another request. Default: no. */
  readonly reusable?: boolean;
}

export function replaced(...statuses: number[]): ExpectedResponse {
  return { kind: 'replaced', statuses: statuses.length === 0 ? [502] : statuses };
}

export const broken: ExpectedResponse = { kind: 'broken' };

export function passed(check: ResponseCheck): ExpectedResponse {
  return { kind: 'passed', check };
}

export function passedOrReplaced(check: ResponseCheck): ExpectedResponse {
  return { kind: 'passedOrReplaced', check };
}

/** The client got this body under this status. */
export function got(status: number, text: string): ResponseCheck {
  return (answer) => {
    expect(answer.status).toBe(status);
    expect(answer.body.toString('latin1')).toBe(text);
  };
}

const EVIL = '/evil';

/** Answers the evil request with the exact bytes, and everything else as an ordinary endpoint. */
function evilScript(item: ResponseCase): Script {
  return async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      if (parsed.message.target !== EVIL) {
        wire.send(plainAnswer(echoBody(parsed.message)));
        continue;
      }
      await wire.sendPieces(typeof item.answer === 'string' ? [item.answer] : item.answer, 30);
      if (item.ending === 'fin') wire.halfClose();
      else if (item.ending === 'reset') {
        await Bun.sleep(30);
        wire.reset();
      }
    }
    wire.close();
  };
}

/** What was seen on both sides of the proxy. */
export interface ResponseObservation {
  readonly parsed: Parsed;
  readonly interim: readonly HttpMessage[];
  readonly closed: boolean;
  /** Bytes behind the answer that nobody asked for. */
  readonly surplus: string;
  readonly sameInnocent: string | undefined;
  readonly newInnocent: string | undefined;
  /** Requests that the endpoint received behind the evil one, on the same connection. */
  readonly reused: number;
}

/** Less than an idle connection may last. */
const PATIENCE_MS = 10_000;

/** Runs one case and reports; judges nothing. */
export async function observeResponse(lane: Lane, item: ResponseCase): Promise<ResponseObservation> {
  lane.endpoint.script = evilScript(item);
  const wire = await dial(lane.proxy);
  const request = item.request ?? `GET ${EVIL} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
  wire.send(request);
  const parsed = await wire.response(request.slice(0, request.indexOf(' ')));
  const message = parsed.kind === 'message' ? parsed.message : undefined;
  if (message === undefined) await wire.ends(PATIENCE_MS);
  await wire.untilQuiet(120);
  const surplus = wire.received.subarray(wire.cursor).toString('latin1');
  const closed = wire.ending !== 'open';
  const sameInnocent = surplus === '' ? await innocentOnSame(wire, message) : undefined;
  const newInnocent = await innocentOnNew(lane.proxy);
  wire.close();
  lane.endpoint.script = echo;
  const conversations = lane.endpoint.wires.map((peer) => parseRequests(peer.received).messages);
  const behind = conversations.map((messages) => {
    const at = messages.findIndex(({ target }) => target === EVIL);
    return at < 0 ? 0 : messages.length - at - 1;
  });
  const reused = behind.reduce((sum, count) => sum + count, 0);
  return { parsed, interim: wire.interim, closed, surplus, sameInnocent, newInnocent, reused };
}

function describeParsed({ parsed, closed }: ResponseObservation): string {
  if (parsed.kind === 'message') return `status ${parsed.message.status}`;
  return parsed.kind === 'violation' ? `violation: ${parsed.reason}` : `incomplete, closed: ${closed}`;
}

function judgeResponse(seen: ResponseObservation, item: ResponseCase): void {
  const { expected } = item;
  expect(seen.newInnocent).toBeUndefined();
  expect(seen.sameInnocent).toBeUndefined();
  if (item.reusable !== true) expect(seen.reused).toBe(0);
  const answer = seen.parsed.kind === 'message' ? seen.parsed.message : undefined;
  if (expected.kind === 'broken' && answer === undefined) {
    expect(describeParsed(seen)).toBe('incomplete, closed: true');
    return;
  }
  expect(describeParsed(seen)).toMatch(/^status /);
  expect(seen.surplus).toBe('');
  if (answer === undefined) return;
  if (expected.kind === 'passed' || (expected.kind === 'passedOrReplaced' && answer.status !== 502)) {
    expected.check(answer, seen.interim);
    return;
  }
  expect(expected.kind === 'replaced' ? expected.statuses : [502]).toContain(answer.status);
}

/** One test for each case, all through one process, many at a time. */
export function describeResponses(title: string, cases: readonly ResponseCase[]): void {
  describe(title, () => {
    const lanes = useLanes();
    for (const item of cases) {
      test.concurrent(
        item.name,
        async () => {
          judgeResponse(await lanes().with((lane) => observeResponse(lane, item)), item);
        },
        15_000,
      );
    }
  });
}
