import type { SmtpCheck } from '../config/schema/service-checks.ts';
import { MORE, type Step, type Verdict } from './dialogue-probe.ts';
import { shownBytes } from './probe.ts';

/** A whole reply (RFC 5321 section 4.2.1): lines with a hyphen behind the code, and a last one without. */
const REPLY = /^(?:(\d{3})-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r?\n/;
const CODE_OR_LESS = /^\d{0,3}$/;

function reply(name: string, wanted: string): (received: Buffer) => Verdict {
  return (received) => {
    const text = received.toString('latin1');
    if (!CODE_OR_LESS.test(text.slice(0, 3)))
      return { kind: 'failed', detail: `${name}: ${shownBytes(received)} is not a reply of SMTP` };
    const whole = REPLY.exec(text);
    if (whole === null) return MORE;
    if (whole[2] === wanted) return { kind: 'met', bytes: whole[0].length };
    const words = Buffer.from(whole[0].trimEnd(), 'latin1');
    return { kind: 'failed', detail: `${name} answered ${shownBytes(words)}` };
  };
}

/** The steps of `healthCheck.smtp`: greeting, EHLO, QUIT (RFC 5321 section 4.3.2), so that the server logs no broken session. */
export function smtpDialogue({ hello }: SmtpCheck): Step[] {
  return [
    { name: 'greeting', send: undefined, judge: reply('greeting', '220') },
    { name: 'EHLO', send: Buffer.from(`EHLO ${hello}\r\n`), judge: reply('EHLO', '250') },
    { name: 'QUIT', send: Buffer.from('QUIT\r\n'), judge: reply('QUIT', '221') },
  ];
}
