import { canonicalIp } from '../../util/ip.ts';
import { type ProxyAddress, type ProxyAddresses, type ProxyVerdict, SIGNATURE_V1 } from './proxy-header.ts';

/** Longest line with its end, as the specification has it. */
const MAX_LINE_BYTES = 107;
const CR = 13;
const LF = 10;

const PORT = /^(?:0|[1-9]\d{0,4})$/;

function refused(detail: string): ProxyVerdict {
  return { kind: 'refused', detail };
}

/** Reads a header of version 1: one line of text. `bytes` begin with its signature. */
export function parseProxyV1(bytes: Buffer): ProxyVerdict {
  const most = Math.min(bytes.length, MAX_LINE_BYTES);
  for (let at = SIGNATURE_V1.length; at < most; at++) {
    if (bytes[at] === LF) return refused('the line ends without CR');
    if (bytes[at] !== CR) continue;
    if (at + 1 === MAX_LINE_BYTES) break;
    if (at + 1 === bytes.length) return { kind: 'more', certain: true };
    if (bytes[at + 1] !== LF) return refused('CR within the line');
    return parseLine(bytes.latin1Slice(SIGNATURE_V1.length, at), at + 2);
  }
  if (bytes.length >= MAX_LINE_BYTES) return refused(`no end of the line within ${MAX_LINE_BYTES} bytes`);
  return { kind: 'more', certain: true };
}

function parseLine(text: string, end: number): ProxyVerdict {
  const [family, ...parts] = text.split(' ');
  // Whatever follows is of no account, says the specification.
  if (family === 'UNKNOWN') return header(undefined, end);
  if (family !== 'TCP4' && family !== 'TCP6') return refused('its protocol is not TCP4, TCP6 or UNKNOWN');
  if (parts.length !== 4) return refused('it is not two addresses and two ports');
  const source = addressOf(family, parts[0]!, parts[2]!);
  const destination = addressOf(family, parts[1]!, parts[3]!);
  if (source === undefined || destination === undefined) return refused('an address or a port is malformed');
  return header({ source, destination }, end);
}

function addressOf(family: 'TCP4' | 'TCP6', text: string, portText: string): ProxyAddress | undefined {
  const port = Number(portText);
  if (!PORT.test(portText) || port > 65_535) return undefined;
  if (text.includes(':') !== (family === 'TCP6') || text.includes('%')) return undefined;
  const ip = canonicalIp(text);
  return ip === undefined ? undefined : { ip, port };
}

function header(addresses: ProxyAddresses | undefined, end: number): ProxyVerdict {
  return {
    kind: 'header',
    header: { version: 1, addresses, alpn: '', authority: '', uniqueId: undefined, tls: undefined },
    end,
  };
}
