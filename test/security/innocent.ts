import type { HttpMessage } from '../support/strict-http.ts';
import { type HostPort, dial, type Wire } from '../support/wire.ts';

let count = 0;

/** Whether a request that an endpoint received is one of the harmless ones that follow an attack. */
export function isInnocent(request: HttpMessage): boolean {
  return request.target.startsWith('/innocent/');
}

/** Sends a harmless request and tells what is wrong with its answer; undefined when it is its own answer. */
async function innocentOn(wire: Wire): Promise<string | undefined> {
  const target = `/innocent/${++count}`;
  wire.send(`GET ${target} HTTP/1.1\r\nHost: innocent.test\r\n\r\n`);
  const parsed = await wire.response('GET');
  if (parsed.kind === 'violation') return `answer does not parse: ${parsed.reason}`;
  if (parsed.kind === 'incomplete') return `no answer, connection ${wire.ending}`;
  const { status, body } = parsed.message;
  const text = body.toString('latin1');
  return status === 200 && text === `GET ${target} 0` ? undefined : `answer of another: ${status} ${text}`;
}

/** The next request on a connection that was kept; undefined when all is well, or the connection was closed. */
export async function innocentOnSame(
  wire: Wire,
  lastAnswer: HttpMessage | undefined,
): Promise<string | undefined> {
  const said = lastAnswer?.fields.some(
    ([name, value]) => /^connection$/i.test(name) && /\bclose\b/i.test(value),
  );
  if (wire.ending !== 'open' || said === true || lastAnswer === undefined) return undefined;
  return innocentOn(wire);
}

/** The next request of somebody else. */
export async function innocentOnNew(proxy: HostPort): Promise<string | undefined> {
  const wire = await dial(proxy);
  try {
    return await innocentOn(wire);
  } finally {
    wire.close();
  }
}
