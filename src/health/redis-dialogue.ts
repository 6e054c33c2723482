import type { RedisCheck } from '../config/schema/service-checks.ts';
import { MORE, type Step, type Verdict } from './dialogue-probe.ts';
import { shownBytes } from './probe.ts';

/** A command as an array of bulk strings (RESP 2). */
function command(...words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}

/** The first line of an answer with its end; undefined while it is not whole. */
function firstLine(received: Buffer): string | undefined {
  const end = received.indexOf('\r\n');
  return end < 0 ? undefined : received.toString('latin1', 0, end + 2);
}

/** Expects a simple string (`+OK`). An error (`-LOADING ...`) fails with the words of the server. */
function simple(name: string, wanted: string): (received: Buffer) => Verdict {
  return (received) => {
    const line = firstLine(received);
    if (line === undefined) return MORE;
    if (line === `+${wanted}\r\n`) return { kind: 'met', bytes: line.length };
    return {
      kind: 'failed',
      detail: `${name} answered ${shownBytes(Buffer.from(line.trimEnd(), 'latin1'))}`,
    };
  };
}

/** ROLE answers `master`, or `slave` with the state of the link as its fourth item: `connected` when it is up. */
function role(wanted: 'primary' | 'replica'): (received: Buffer) => Verdict {
  return (received) => {
    const text = received.toString('latin1');
    if (text.startsWith('-') && text.includes('\r\n'))
      return { kind: 'failed', detail: `ROLE answered ${shownBytes(received)}` };
    if (/^\*\d+\r\n\$6\r\nmaster\r\n/.test(text)) {
      return wanted === 'primary'
        ? { kind: 'passed', detail: 'PING answered PONG, and it is a primary' }
        : { kind: 'failed', detail: 'it is a primary, not a replica' };
    }
    const replica = /^\*\d+\r\n\$5\r\nslave\r\n\$\d+\r\n[^\r\n]*\r\n:\d+\r\n\$\d+\r\n([a-z_]+)\r\n/.exec(
      text,
    );
    if (replica === null) return MORE;
    if (wanted === 'primary') return { kind: 'failed', detail: 'it is a replica, not a primary' };
    return replica[1] === 'connected'
      ? { kind: 'passed', detail: 'PING answered PONG, and it is a replica' }
      : { kind: 'failed', detail: `it is a replica without its primary (link ${replica[1]})` };
  };
}

/** The steps of `healthCheck.redis`: AUTH if there is a password, PING, and ROLE if one is asked for. */
export function redisDialogue({ username, password, role: wanted }: RedisCheck): Step[] {
  const steps: Step[] = [];
  if (password !== undefined) {
    const auth = username === undefined ? command('AUTH', password) : command('AUTH', username, password);
    steps.push({ name: 'AUTH', send: auth, judge: simple('AUTH', 'OK') });
  }
  steps.push({ name: 'PING', send: command('PING'), judge: simple('PING', 'PONG') });
  if (wanted !== 'any') steps.push({ name: 'ROLE', send: command('ROLE'), judge: role(wanted) });
  return steps;
}
