import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { FrameType, type H2Error } from '../../src/http/h2-protocol.ts';
import { headers, HELLO, request } from '../support/h2-client.ts';
import { frame } from '../support/h2-frames.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';
import { isInnocent } from './innocent.ts';

type ErrorName = keyof typeof H2Error;

/** What must become of a case. */
export type Reaction =
  /** The stream is reset with one of these codes; the connection goes on. */
  | { readonly kind: 'reset'; readonly stream: number; readonly codes: readonly ErrorName[] }
  /** GOAWAY with one of these codes, and the end. */
  | { readonly kind: 'goaway'; readonly codes: readonly ErrorName[] }
  /** The stream is answered by Pointsman itself; the connection goes on. */
  | { readonly kind: 'answered'; readonly stream: number; readonly status: number }
  /** The request reaches the endpoint as `METHOD target LENGTH`, and the answer comes back. */
  | { readonly kind: 'forwarded'; readonly stream: number; readonly as: string }
  /** Nothing happens, and the connection goes on. */
  | { readonly kind: 'ignored' };

export function reset(stream: number, ...codes: ErrorName[]): Reaction {
  return { kind: 'reset', stream, codes };
}
export function goaway(...codes: ErrorName[]): Reaction {
  return { kind: 'goaway', codes };
}
export function answered(stream: number, status: number): Reaction {
  return { kind: 'answered', stream, status };
}
export function forwarded(stream: number, as = 'GET / 0'): Reaction {
  return { kind: 'forwarded', stream, as };
}
export const ignored: Reaction = { kind: 'ignored' };

export interface H2Case {
  readonly name: string;
  /** Frames behind preface and SETTINGS; with `raw` all that is sent. */
  readonly send: readonly Uint8Array[];
  readonly expected: Reaction;
  readonly raw?: true;
}

const PING = frame(FrameType.Ping, 0, 0, 'finished');
const LAST_STREAM = 0x7fff_fff1;

/** Runs cases against the real program, each on a connection of its own; a harmless request follows each. */
export function describeH2(title: string, cases: readonly H2Case[]): void {
  describe(title, () => {
    let endpoint: ScriptedEndpoint;
    let pointsman: Pointsman;

    beforeAll(async () => {
      endpoint = await ScriptedEndpoint.start();
      pointsman = await startPointsman({
        listeners: [
          {
            name: 'web',
            address: '127.0.0.1:0',
            http2: { cleartext: true },
            routes: [{ pool: 'web' }],
          },
        ],
        pools: [{ name: 'web', endpoints: [endpoint.name] }],
      });
    });
    afterAll(async () => {
      await pointsman.stop('SIGKILL');
      await endpoint[Symbol.asyncDispose]();
    });

    test.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, { send, expected, raw }) => {
      endpoint.reset();
      const client = new H2Wire(await dial(pointsman.address()));
      client.wire.send(Buffer.concat(raw === true ? send : [HELLO, ...send]));
      const goesOn = expected.kind !== 'goaway';
      if (goesOn) client.wire.send(PING);
      const seen = goesOn
        ? await client.until((lines) => lines.includes('Ping ack'))
        : await client.untilEnd();
      judge(seen, client, expected);
      if (expected.kind === 'forwarded') {
        await client.until(() => client.hasEnded(expected.stream));
        expect(client.bodyOf(expected.stream)).toBe(expected.as);
      } else if (goesOn) {
        expect(endpoint.requests().filter((one) => !isInnocent(one))).toEqual([]);
      }
      if (goesOn) await innocent(client, LAST_STREAM);
      else expect(client.wire.ending).not.toBe('open');
      client.wire.close();
      // And of somebody else.
      const other = new H2Wire(await dial(pointsman.address()));
      other.wire.send(HELLO);
      await innocent(other, 1);
      other.wire.close();
    });
  });
}

function judge(seen: readonly string[], client: H2Wire, expected: Reaction): void {
  const goaways = seen.filter((line) => line.startsWith('Goaway'));
  if (expected.kind === 'goaway') {
    const codes = goaways.map((line) => line.split(' ')[2]!);
    expect({ seen: seen.slice(-5), codes }).toEqual({
      seen: expect.anything(),
      codes: [
        codes.find((code) => expected.codes.includes(code as ErrorName)) ?? expected.codes.join(' or '),
      ],
    });
    return;
  }
  expect(goaways).toEqual([]);
  expect(client.wire.ending).toBe('open');
  if (expected.kind === 'reset') {
    const codes = seen
      .filter((line) => line.startsWith(`ResetStream ${expected.stream} `))
      .map((line) => line.split(' ')[2]!);
    expect(codes.length).toBe(1);
    expect(expected.codes as readonly string[]).toContain(codes[0]!);
  } else if (expected.kind === 'answered') {
    expect(seen.find((line) => line.startsWith(`Headers ${expected.stream}`)) ?? seen.join('; ')).toContain(
      `:status: ${expected.status}`,
    );
  } else if (expected.kind === 'ignored') {
    expect(seen.filter((line) => /^(?:ResetStream|Headers|Data)/.test(line))).toEqual([]);
  }
}

async function innocent(client: H2Wire, stream: number): Promise<void> {
  client.wire.send(headers(stream, request('GET', '/innocent/1')));
  await client.until(() => client.hasEnded(stream));
  expect(client.bodyOf(stream)).toBe('GET /innocent/1 0');
}
