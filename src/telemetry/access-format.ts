import { ACCESS_FIELDS, type AccessField } from '../config/access-fields.ts';
import type { AccessEntry } from '../model/access-entry.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import { escapeText, jsonString, logfmtValue } from './escape.ts';
import { commonTime, isoTime } from './log-time.ts';

/** Makes the line of one request or session, ASCII with its line end. */
export type AccessFormatter<Entry = AccessEntry> = (entry: Entry) => string;

/** Undefined and the empty text mean that there is no such thing. */
type Value = string | number | boolean | undefined;

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

function queryOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? '' : target.slice(query + 1);
}

/** Whole microseconds: nothing is measured more finely, and lines stay short. */
const milliseconds = (ms: number): number => Math.round(ms * 1000) / 1000;

type ValuesOf<Entry> = { readonly [Field in AccessField]?: (entry: Entry) => Value };

/** A session has no request: fields of one stay empty in templates, and are left out where every field is written. */
const OF_SESSION = {
  time: (entry) => isoTime(entry.startWallMs),
  durationMs: (entry) => milliseconds(entry.durationMs),
  listener: (entry) => entry.listener,
  route: (entry) => entry.route,
  pool: (entry) => entry.pool,
  endpoint: (entry) => entry.endpoint,
  clientIp: (entry) => entry.clientIp,
  clientPort: (entry) => entry.clientPort,
  peerIp: (entry) => entry.peerIp,
  peerPort: (entry) => entry.peerPort,
  protocol: (entry) => entry.protocol,
  serverName: (entry) => entry.serverName,
  alpn: (entry) => entry.alpn,
  requestBytes: (entry) => entry.requestBytes,
  responseBytes: (entry) => entry.responseBytes,
  failure: (entry) => entry.failure,
  attempts: (entry) => entry.attempts,
  queuedMs: (entry) => milliseconds(entry.queuedMs),
  connectMs: (entry) => milliseconds(entry.connectMs),
  commonTime: (entry) => commonTime(entry.startWallMs),
} as const satisfies ValuesOf<SessionEntry>;

const OF_REQUEST: Required<ValuesOf<AccessEntry>> = {
  ...OF_SESSION,
  method: (entry) => entry.method,
  target: (entry) => entry.target,
  host: (entry) => entry.host,
  tlsVersion: (entry) => entry.tlsVersion,
  tlsCipher: (entry) => entry.tlsCipher,
  status: (entry) => entry.status,
  ttfbMs: (entry) => (entry.ttfbMs < 0 ? undefined : milliseconds(entry.ttfbMs)),
  reused: (entry) => entry.reused,
  userAgent: (entry) => entry.userAgent,
  referer: (entry) => entry.referer,
  path: (entry) => pathOf(entry.target),
  query: (entry) => queryOf(entry.target),
};

/** The same thing said twice, left out where every field is written. */
const DERIVED: ReadonlySet<AccessField> = new Set(['path', 'query', 'commonTime']);

/** NCSA common log format, as Apache and nginx write it. */
const COMMON = '${clientIp} - - [${commonTime}] "${method} ${target} ${protocol}" ${status} ${responseBytes}';
const COMBINED = `${COMMON} "\${referer}" "\${userAgent}"`;

/** Compiles a format that the configuration schema has let through, for requests. */
export function compileAccessFormat(format: string): AccessFormatter {
  return compile(format, OF_REQUEST);
}

/** ... and for TCP and UDP sessions. */
export function compileSessionFormat(format: string): AccessFormatter<SessionEntry> {
  return compile(format, OF_SESSION);
}

function compile<Entry>(format: string, values: ValuesOf<Entry>): AccessFormatter<Entry> {
  switch (format) {
    case 'json':
      return everyField(values, '{', (field) => `${jsonString(field)}:`, ',', '}\n', jsonValue);
    case 'logfmt':
      return everyField(
        values,
        '',
        (field) => `${field}=`,
        ' ',
        '\n',
        (value) => logfmtValue(String(value ?? '')),
      );
    case 'common':
      return template(values, COMMON);
    case 'combined':
      return template(values, COMBINED);
    default:
      return template(values, format);
  }
}

interface Piece<Entry> {
  /** What stands before the value. */
  readonly before: string;
  readonly valueOf: (entry: Entry) => Value;
}

function everyField<Entry>(
  values: ValuesOf<Entry>,
  start: string,
  label: (field: AccessField) => string,
  separator: string,
  end: string,
  write: (value: Value) => string,
): AccessFormatter<Entry> {
  const pieces: Piece<Entry>[] = [];
  for (const field of ACCESS_FIELDS) {
    const valueOf = values[field];
    if (valueOf === undefined || DERIVED.has(field)) continue;
    pieces.push({ before: (pieces.length === 0 ? start : separator) + label(field), valueOf });
  }
  return join(pieces, end, write);
}

function template<Entry>(values: ValuesOf<Entry>, text: string): AccessFormatter<Entry> {
  const pieces: Piece<Entry>[] = [];
  let from = 0;
  for (const match of text.matchAll(/\$\{([^}]*)\}/g)) {
    const valueOf = values[match[1] as AccessField] ?? (() => undefined);
    pieces.push({ before: escapeLiteral(text.slice(from, match.index)), valueOf });
    from = match.index + match[0].length;
  }
  return join(pieces, `${escapeLiteral(text.slice(from))}\n`, templateValue);
}

function join<Entry>(
  pieces: readonly Piece<Entry>[],
  end: string,
  write: (value: Value) => string,
): AccessFormatter<Entry> {
  return (entry) => {
    let line = '';
    for (const piece of pieces) line += piece.before + write(piece.valueOf(entry));
    return line + end;
  };
}

function jsonValue(value: Value): string {
  if (typeof value === 'string') return jsonString(value);
  return value === undefined || Number.isNaN(value) ? 'null' : String(value);
}

function templateValue(value: Value): string {
  if (typeof value !== 'string') return value === undefined ? '-' : String(value);
  return value === '' ? '-' : escapeText(value);
}

/** The operator's own text: quotes and tabs stay, what is not ASCII is escaped, because a line is ASCII. */
function escapeLiteral(text: string): string {
  return text.replace(/[^\t\x20-\x7e]+/g, escapeText);
}
