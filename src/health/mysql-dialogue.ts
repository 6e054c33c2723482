import type { MysqlCheck } from '../config/schema/service-checks.ts';
import { MORE, type Step, type Verdict } from './dialogue-probe.ts';
import { shownBytes } from './probe.ts';

/** Before every packet: 3 bytes of length, the lowest first, and a number that counts up within a command. */
const HEAD_BYTES = 4;
/** First bytes of packets. */
const OK = 0x00;
const HANDSHAKE_V10 = 0x0a;
const AUTH_SWITCH = 0xfe;
const ERROR = 0xff;
/** CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH. */
const CAPABILITIES = 0x0000_0200 | 0x0000_8000 | 0x0008_0000;
const UTF8MB4 = 45;
const MAX_PACKET_BYTES = 0x0100_0000;
const COM_QUIT = packet(0, Buffer.from([1]));
/** What servers answer to a user or host that they do not let in: they take sessions. */
const REFUSED_USER: ReadonlySet<number> = new Set([1044, 1045, 1251, 1698, 1862, 1873]);

function packet(number: number, body: Buffer): Buffer {
  const head = Buffer.from([body.length & 0xff, (body.length >> 8) & 0xff, body.length >> 16, number]);
  return Buffer.concat([head, body]);
}

/** HandshakeResponse41 without a password. */
function login(user: string): Buffer {
  const fixed = Buffer.alloc(32);
  fixed.writeUInt32LE(CAPABILITIES, 0);
  fixed.writeUInt32LE(MAX_PACKET_BYTES, 4);
  fixed[8] = UTF8MB4;
  return packet(1, Buffer.concat([fixed, Buffer.from(`${user}\0\0mysql_native_password\0`)]));
}

/** The first packet, when it is whole. */
function first(received: Buffer): { readonly body: Buffer; readonly bytes: number } | undefined {
  if (received.length < HEAD_BYTES) return undefined;
  const bytes = HEAD_BYTES + received.readUIntLE(0, 3);
  return received.length < bytes ? undefined : { body: received.subarray(HEAD_BYTES, bytes), bytes };
}

/** An error packet: its number, then after `#` and five letters of SQLSTATE its words. */
function judgeError(body: Buffer): Verdict {
  const number = body.length < 3 ? 0 : body.readUInt16LE(1);
  const words = `${number} ${body.toString('utf8', 3).replace(/^#.{5}/, '')}`.trim();
  return REFUSED_USER.has(number)
    ? { kind: 'passed', detail: `takes sessions (refused this one: ${words})` }
    : { kind: 'failed', detail: `refused a session: ${words}` };
}

function judgeGreeting(received: Buffer): Verdict {
  const found = first(received);
  if (found === undefined) return MORE;
  if (found.body[0] === ERROR) return judgeError(found.body);
  return found.body[0] === HANDSHAKE_V10
    ? { kind: 'met', bytes: found.bytes }
    : { kind: 'failed', detail: `${shownBytes(received)} is not a greeting of MySQL` };
}

/** What comes of logging in. An empty answer to another way of logging in is a wrong password, and the server says so. */
function judgeLogin(received: Buffer): Verdict {
  const found = first(received);
  if (found === undefined) return MORE;
  if (found.body[0] === ERROR) return judgeError(found.body);
  if (found.body[0] === OK) return { kind: 'passed', detail: 'takes sessions', farewell: COM_QUIT };
  return found.body[0] === AUTH_SWITCH
    ? { kind: 'met', bytes: found.bytes }
    : { kind: 'failed', detail: `${shownBytes(received)} is not an answer of MySQL` };
}

/**
 * The steps of `healthCheck.mysql`. It logs in, for a server counts connections that go away after its greeting and blocks their host
 * when there were too many (max_connect_errors). Protocol: "Connection Phase" in the MySQL internals manual.
 */
export function mysqlDialogue({ user }: MysqlCheck): Step[] {
  return [
    { name: 'greeting', send: undefined, judge: judgeGreeting },
    { name: 'login', send: login(user), judge: judgeLogin },
    { name: 'login', send: packet(3, Buffer.alloc(0)), judge: judgeLogin },
  ];
}
