import type { PostgresCheck } from '../config/schema/service-checks.ts';
import { MORE, type Step, type Verdict } from './dialogue-probe.ts';
import { shownBytes } from './probe.ts';

/** Version 3.0 of the protocol, which every server since 7.4 speaks, and the number that stands in its place to ask for TLS. */
const PROTOCOL_3_0 = 0x0003_0000;
const SSL_REQUEST = 80_877_103;
/** Authentication is asked for or done; an error; the version of the protocol is negotiated. */
const AUTHENTICATION = 0x52;
const ERROR_RESPONSE = 0x45;
const NEGOTIATE_VERSION = 0x76;
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

function startupMessage(user: string, database: string): Buffer {
  const parameters = Buffer.from(
    `user\0${user}\0database\0${database}\0application_name\0pointsman-health-check\0\0`,
  );
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + parameters.length, 0);
  head.writeUInt32BE(PROTOCOL_3_0, 4);
  return Buffer.concat([head, parameters]);
}

/** Fields of an ErrorResponse: a letter, its text, a zero. */
function errorFields(body: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of body.toString('utf8').split('\0')) {
    if (field !== '') fields.set(field[0]!, field.slice(1));
  }
  return fields;
}

/**
 * A server that gets as far as to refuse this role or database (SQLSTATE 28xxx, 3D000) takes sessions; one that is starting up,
 * shutting down (57P03) or full (53300) does not. This is what libpq's PQping says too, but for the full one.
 */
function judgeError(body: Buffer): Verdict {
  const fields = errorFields(body);
  const state = fields.get('C') ?? '';
  const words = `${state} ${fields.get('M') ?? ''}`.trim();
  return state.startsWith('28') || state === '3D000'
    ? { kind: 'passed', detail: `takes sessions (refused this one: ${words})` }
    : { kind: 'failed', detail: `refused a session: ${words}` };
}

function judgeStartup(received: Buffer): Verdict {
  if (received.length < 5) return MORE;
  const end = 1 + received.readUInt32BE(1);
  switch (received[0]!) {
    case AUTHENTICATION: {
      if (received.length < 9) return MORE;
      // Farewell only where one is understood: a server that waits for a password takes it for a bad one.
      const inSession = received.readUInt32BE(5) === 0;
      return inSession
        ? { kind: 'passed', detail: 'takes sessions', farewell: TERMINATE }
        : { kind: 'passed', detail: 'takes sessions (asks for a password)' };
    }
    case ERROR_RESPONSE:
      return received.length < end ? MORE : judgeError(received.subarray(5, end));
    case NEGOTIATE_VERSION:
      return received.length < end ? MORE : { kind: 'met', bytes: end };
    default:
      return { kind: 'failed', detail: `${shownBytes(received)} is not an answer of PostgreSQL` };
  }
}

function judgeSslRequest(received: Buffer): Verdict {
  const answer = received.toString('latin1', 0, 1);
  return answer === 'S' || answer === 'N'
    ? { kind: 'passed', detail: `answered the request for TLS with ${answer}` }
    : { kind: 'failed', detail: `${shownBytes(received)} is not an answer of PostgreSQL` };
}

/** The steps of `healthCheck.postgres`. Protocol: "Frontend/Backend Protocol" in the manual of PostgreSQL. */
export function postgresDialogue({ user, database, startup }: PostgresCheck): Step[] {
  if (!startup) {
    const request = Buffer.alloc(8);
    request.writeUInt32BE(8, 0);
    request.writeUInt32BE(SSL_REQUEST, 4);
    return [{ name: 'request for TLS', send: request, judge: judgeSslRequest }];
  }
  const message = startupMessage(user, database);
  return [
    { name: 'start-up', send: message, judge: judgeStartup },
    // Behind a NegotiateProtocolVersion.
    { name: 'start-up', send: undefined, judge: judgeStartup },
  ];
}
