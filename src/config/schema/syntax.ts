import { canonicalIp } from '../../util/ip.ts';
import { normalisePath } from '../../util/uri-path.ts';

/**
 * The small grammars of the configuration. Each function takes a text and says what is wrong with it, or undefined
 * when nothing is.
 */
export type Grammar = (text: string) => string | undefined;

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const HOST_NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?$/;
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

/** Names of listeners, pools, endpoints and routes: they appear in metrics, logs and commands. */
export const nameGrammar: Grammar = (text) =>
  NAME.test(text)
    ? undefined
    : `${quote(text)} is not a name; a name has letters, digits, "-", "_" and ".", and starts with a letter or digit`;

/** Header, cookie and query names as HTTP tokens. */
export const tokenGrammar: Grammar = (text) =>
  TOKEN.test(text)
    ? undefined
    : text === ''
      ? 'a name is needed, but this is empty'
      : `${quote(text)} is not a valid name; letters, digits and !#$%&'*+-.^_\`|~ are allowed`;

/** RFC 9110 section 5.5, without the obsolete non-ASCII octets, whose encoding nobody agrees on. */
export const fieldValueGrammar: Grammar = (text) => {
  if (CONTROL.test(text)) return 'a header value must not contain line breaks or control characters';
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7e) return 'a header value is plain ASCII; encode other characters';
  }
  return text.trim() === text ? undefined : 'a header value must not start or end with blanks';
};

/** Fields that say how a message is framed or that belong to one connection: the balancer alone writes them. */
const OWN_FIELDS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A header name that a configuration may set, add or remove. */
export const editableHeaderGrammar: Grammar = (text) =>
  tokenGrammar(text) ??
  (OWN_FIELDS.has(text.toLowerCase())
    ? `${quote(text)} belongs to the framing of the message or to one connection; Pointsman alone writes it`
    : undefined);

/** As `editableHeaderGrammar`, where exactly one Host must stay. */
export const editableExceptHostGrammar: Grammar = (text) =>
  editableHeaderGrammar(text) ??
  (text.toLowerCase() === 'host' ? 'a request has exactly one Host; only "set" may change it' : undefined);

/** As `editableHeaderGrammar`, for fixed responses, where `contentType` is a key of its own. */
export const replyHeaderGrammar: Grammar = (text) =>
  editableHeaderGrammar(text) ??
  (text.toLowerCase() === 'content-type' ? 'write it as the key "contentType" of the reply' : undefined);

/** As `editableHeaderGrammar`, for health checks, where `host` is a key of its own. */
export const checkHeaderGrammar: Grammar = (text) =>
  editableHeaderGrammar(text) ??
  (text.toLowerCase() === 'host' ? 'write it as the key "host" of the check' : undefined);

/** IP version of an address as it may be written here: without a zone. */
function ipVersion(text: string): 0 | 4 | 6 {
  if (text.includes('%') || canonicalIp(text) === undefined) return 0;
  return text.includes(':') ? 6 : 4;
}

/** An IPv4 or IPv6 address, or a name of DNS labels (underscores allowed, as in real networks). */
export function isHost(text: string): boolean {
  if (ipVersion(text) !== 0) return true;
  return HOST_NAME.test(text) && text.length <= 253 && !/^[\d.]+$/.test(text);
}

/** What `match.host` takes: `example.com`, `*.example.com`, `192.0.2.1`, `[2001:db8::1]`. */
export const hostPatternGrammar: Grammar = (text) => {
  if (text === '*') return '"*" is not a host; leave "host" out to match every host';
  if (/^\[[^\]]*\]$/.test(text) && ipVersion(text.slice(1, -1)) === 6) return undefined;
  if (ipVersion(text) === 6) return `write an IPv6 host in brackets: "[${text}]"`;
  if (text.includes('://') || text.includes('/'))
    return `${quote(text)} is a URL; write only the host, such as example.com`;
  const name = text.startsWith('*.') ? text.slice(2) : text;
  if (name.includes('*'))
    return `${quote(text)}: "*" may stand only for whole labels at the front, as in *.example.com`;
  if (name.endsWith('.') && name !== '.') return `${quote(text)}: write the host without the dot at its end`;
  if (/:\d*$/.test(name)) return `${quote(text)}: write the host without its port`;
  if (!isHost(name) || (name !== text && ipVersion(name) !== 0))
    return `${quote(text)} is not a host; write one such as example.com or *.example.com`;
  return undefined;
};

/** A path in the one spelling that requests are brought to before they are matched. */
const pathGrammar: Grammar = (text) => {
  if (!text.startsWith('/')) return `${quote(text)} is not a path; a path starts with "/"`;
  if (/[?#]/.test(text)) return `${quote(text)}: a path has no "?" or "#"; use "query" to match on the query`;
  const normal = normalisePath(text);
  if (normal === text) return undefined;
  const encoded = text.toWellFormed().replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);
  if (encoded !== text)
    return `${quote(text)} has characters that must be percent-encoded; write ${quote(encoded)}`;
  return normal === undefined
    ? `${quote(text)} can never match: requests with such a path are refused`
    : `${quote(text)} can never match: paths are normalised first; write ${quote(normal)}`;
};

/** What `match.path` takes: an exact path, or a prefix that ends in `/*`. */
export const pathPatternGrammar: Grammar = (text) => {
  const fixed = text.endsWith('/*') ? text.slice(0, -1) : text;
  if (fixed.includes('*'))
    return `${quote(text)}: "*" may stand only at the end, after a slash, as in /api/*`;
  return pathGrammar(fixed);
};

/** A fixed path without a pattern. */
export const plainPathGrammar: Grammar = (text) =>
  text.includes('*')
    ? `${quote(text)}: "*" has no meaning here; a prefix is written without it, such as /api`
    : pathGrammar(text);

/** What a health check asks for: a path, perhaps with a query. */
export const checkPathGrammar: Grammar = (text) => {
  if (!text.startsWith('/')) return `${quote(text)} is not a path; a path starts with "/"`;
  return /[^\x21-\x7e]|#/.test(text)
    ? `${quote(text)} has a character that cannot stand in a request; percent-encode it`
    : undefined;
};

/** Where a redirect goes: an absolute http or https URL, or a path. */
export const redirectGrammar: Grammar = (text) => {
  if (/[^\x21-\x7e]/.test(text))
    return `${quote(text)} has a character that cannot stand in a URL; percent-encode it`;
  if (text.startsWith('//')) return `${quote(text)}: write the scheme too, such as https:${text}`;
  if (text.startsWith('/')) return undefined;
  return /^https?:\/\//i.test(text) && URL.canParse(text)
    ? undefined
    : `${quote(text)} is neither a path nor an absolute URL; write /new/ or https://example.com/`;
};

/** Request methods: case matters in HTTP, and CONNECT and TRACE are never served. */
export const methodGrammar: Grammar = (text) => {
  if (!TOKEN.test(text)) return `${quote(text)} is not a request method`;
  if (text !== text.toUpperCase()) return `methods are case-sensitive; write ${text.toUpperCase()}`;
  return text === 'CONNECT' || text === 'TRACE'
    ? `${text} is never served, so this would never match`
    : undefined;
};

/** An address or a network in CIDR notation. */
export const networkGrammar: Grammar = (text) => {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const version = ipVersion(address);
  if (version === 0)
    return `${quote(text)} is not a network; write an address or a network such as 10.0.0.0/8 or 2001:db8::/32`;
  if (slash === -1) return undefined;
  const bits = text.slice(slash + 1);
  const most = version === 4 ? 32 : 128;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most
    ? undefined
    : `${quote(text)}: the length of an IPv${version} network is 0 to ${most}`;
};

/** A regular expression of JavaScript. */
export const regexGrammar: Grammar = (text) => {
  try {
    return void new RegExp(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
    return `${quote(text)} is not a regular expression: ${reason}`;
  }
};

/** Attribute values of a cookie: RFC 6265 section 4.1.1. */
export const cookieAttributeGrammar: Grammar = (text) =>
  /[;\0-\x1f\x7f]|[^\0-\x7f]/.test(text)
    ? `${quote(text)}: a cookie attribute is plain ASCII without ";" or control characters`
    : undefined;

/** Shows a text in a message, cut when it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
