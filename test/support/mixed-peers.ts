import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2';

import { contentOf, H2Endpoint } from './h2-endpoint.ts';
import { ScriptedEndpoint } from './scripted-endpoint.ts';
import { type HostPort, dial } from './wire.ts';

type Fields = Readonly<Record<string, string>>;

/** One request, whatever it is sent over. */
export interface Ask {
  readonly method: string;
  readonly target: string;
  readonly body?: Buffer;
  /** The length is said; else it is found out at the end. */
  readonly length?: boolean;
  readonly trailers?: Fields;
}

/** What came back. */
export interface Got {
  readonly interim: readonly number[];
  readonly status: number;
  readonly fields: Fields;
  readonly body: Buffer;
  readonly trailers: Fields;
  /** It broke off. */
  readonly broken: boolean;
}

/** A client of one version of HTTP. */
export type MixedClient = (address: HostPort, ask: Ask) => Promise<Got>;

/** A response, whatever it is sent over. */
interface Plan {
  readonly interim: boolean;
  readonly status: number;
  readonly fields: Fields;
  readonly body: Buffer;
  readonly trailers: Fields;
  readonly cut: boolean;
}

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: Buffer;
  readonly length: string;
  readonly trailers: Fields;
}

/** What endpoints do, by target. */
function plan({ method, target, body, length, trailers }: Seen): Plan {
  const [, what, argument = ''] = target.split('/');
  const bodyless = method === 'HEAD' || argument === '204' || argument === '304';
  return {
    interim: what === 'early',
    status: what === 'status' ? Number(argument) : 200,
    fields: {
      'x-method': method,
      'x-length': length,
      'x-trailers': Object.keys(trailers)
        .filter((name) => name.startsWith('x-'))
        .map((name) => `${name}=${trailers[name]}`)
        .join(),
      ...(method === 'HEAD' ? { 'content-length': '5' } : {}),
    },
    body: bodyless ? Buffer.alloc(0) : what === 'echo' ? body : Buffer.from(what ?? ''),
    trailers: what === 'trailers' ? { 'x-sum': '7' } : {},
    cut: what === 'cut',
  };
}

function fieldLines(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** An endpoint of HTTP/1.1. */
export function http1Endpoint(): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') return;
      const { method, target, body, trailers, fields } = parsed.message;
      const length = fields.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 'none';
      const seen = Object.fromEntries(trailers.map(([name, value]) => [name.toLowerCase(), value]));
      const one = plan({ method, target, body, length, trailers: seen });
      if (one.interim) wire.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      const bodyless = method === 'HEAD' || one.status === 204 || one.status === 304;
      wire.send(
        `HTTP/1.1 ${one.status} Status\r\n${fieldLines(one.fields)}${bodyless ? '' : 'Transfer-Encoding: chunked\r\n'}\r\n`,
      );
      if (bodyless) continue;
      if (one.body.length > 0) {
        wire.send(`${one.body.length.toString(16)}\r\n`);
        wire.send(one.body);
        wire.send('\r\n');
      }
      if (one.cut) {
        wire.reset();
        return;
      }
      wire.send(`0\r\n${fieldLines(one.trailers)}\r\n`);
    }
  });
}

/** An endpoint of HTTP/2. */
export async function http2Endpoint(): Promise<H2Endpoint> {
  const endpoint: H2Endpoint = await H2Endpoint.start((stream, headers) => {
    void (async () => {
      let trailers: Fields = {};
      stream.on('trailers', (fields) => (trailers = fields as Fields));
      const body = await contentOf(stream);
      const method = String(headers[':method']);
      const length = headers['content-length'] ?? 'none';
      const one = plan({ method, target: String(headers[':path']), body, length, trailers });
      if (one.interim) stream.additionalHeaders({ ':status': 103, link: '</a>' });
      await respond(stream, method, one, () => endpoint.cut());
    })().catch(() => {});
  });
  return endpoint;
}

async function respond(
  stream: ServerHttp2Stream,
  method: string,
  { status, fields, body, trailers, cut }: Plan,
  breakOff: () => void,
): Promise<void> {
  const endStream = method === 'HEAD' || status === 204 || status === 304;
  const waitForTrailers = Object.keys(trailers).length > 0;
  stream.respond({ ':status': status, ...fields }, { endStream, waitForTrailers });
  if (endStream) return;
  if (waitForTrailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (!cut) {
    stream.end(body);
    return;
  }
  stream.write(body);
  await Bun.sleep(50);
  breakOff();
}

/** A client of HTTP/1.1: a connection of its own for each request. */
export const http1Client: MixedClient = async (address, ask) => {
  const { method, target, body, length = false, trailers = {} } = ask;
  const wire = await dial(address);
  const framing =
    body === undefined
      ? ''
      : length
        ? `Content-Length: ${body.length}\r\n`
        : 'Transfer-Encoding: chunked\r\n';
  wire.send(
    `${method} ${target} HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\n${framing}\r\n`,
  );
  if (body !== undefined && length) wire.send(body);
  else if (body !== undefined) {
    for (let at = 0; at < body.length; at += 30_000) {
      const piece = body.subarray(at, at + 30_000);
      wire.send(`${piece.length.toString(16)}\r\n`);
      wire.send(piece);
      wire.send('\r\n');
    }
    wire.send(`0\r\n${fieldLines(trailers)}\r\n`);
  }
  const parsed = await wire.response(method, 30_000);
  const interim = wire.interim.map(({ status }) => status);
  const message = parsed.kind === 'message' ? parsed.message : undefined;
  const head = message ?? (parsed.kind === 'incomplete' ? parsed.head : undefined);
  wire.close();
  return {
    interim,
    status: head?.status ?? 0,
    fields: Object.fromEntries((head?.fields ?? []).map(([name, value]) => [name.toLowerCase(), value])),
    body: message?.body ?? Buffer.alloc(0),
    trailers: Object.fromEntries(
      (message?.trailers ?? []).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    broken: message === undefined,
  };
};

/** A client of HTTP/1.1 for bodies that are too large to be read strictly. */
export const largeHttp1Client: MixedClient = async ({ host, port }, { method, target, body }) => {
  const response = await fetch(`http://${host}:${port}${target}`, { method, body });
  return {
    interim: [],
    status: response.status,
    fields: Object.fromEntries(response.headers),
    body: Buffer.from(await response.arrayBuffer()),
    trailers: {},
    broken: false,
  };
};

/** A client of HTTP/3, that of the runtime: it takes any certificate, and knows neither trailers nor 1xx. */
export const http3Client: MixedClient = async ({ host, port }, { method, target, body, length }) => {
  const sent = body !== undefined && length !== true ? new Blob([body]).stream() : body;
  const response = await fetch(`https://${host}:${port}${target}`, {
    method,
    body: sent,
    protocol: 'http3',
    tls: { rejectUnauthorized: false },
  } as RequestInit);
  const whole = await response.arrayBuffer().catch(() => undefined);
  return {
    interim: [],
    status: response.status,
    fields: Object.fromEntries(response.headers),
    body: whole === undefined ? Buffer.alloc(0) : Buffer.from(whole),
    trailers: {},
    broken: whole === undefined,
  };
};

/** A client of HTTP/2 without TLS: a connection of its own for each request. */
export const http2Client: MixedClient = async (address, ask) => {
  const session = connect(`http://${address.host}:${address.port}`);
  session.on('error', () => {});
  try {
    return await askOver(session, ask);
  } finally {
    session.destroy();
  }
};

async function askOver(session: ClientHttp2Session, ask: Ask): Promise<Got> {
  const { method, target, body, length = false, trailers } = ask;
  const stream = session.request(
    {
      ':method': method,
      ':path': target,
      ':authority': 'a.test',
      te: 'trailers',
      ...(body !== undefined && length ? { 'content-length': String(body.length) } : {}),
    },
    { endStream: body === undefined, waitForTrailers: trailers !== undefined },
  );
  const interim: number[] = [];
  let head: Record<string, string> = {};
  let ending: Record<string, string> = {};
  let broken = false;
  stream.on('headers', (fields) => interim.push(Number(fields[':status'])));
  stream.on('response', (fields) => (head = fields as never));
  stream.on('trailers', (fields) => (ending = fields as never));
  stream.on('error', () => (broken = true));
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== undefined) stream.end(body);
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'close').catch(() => (broken = true));
  return {
    interim,
    status: Number(head[':status']),
    fields: head,
    body: Buffer.concat(pieces),
    trailers: Object.fromEntries(Object.entries(ending)),
    broken: broken || stream.rstCode !== 0,
  };
}
