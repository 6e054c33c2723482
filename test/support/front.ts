import { type Pointsman, startPointsman, type TestConfig } from './pointsman.ts';
import type { ScriptedEndpoint } from './scripted-endpoint.ts';
import { ask, dial } from './wire.ts';
import type { HttpMessage } from './strict-http.ts';

/** A listener that speaks HTTP. */
export type ListenerInput = Extract<TestConfig['listeners'][number], { readonly routes: unknown }>;
export type PoolInput = NonNullable<TestConfig['pools']>[number];

/** One listener `web` before one pool `web` of these endpoints. */
export function startFront(
  endpoints: readonly ScriptedEndpoint[],
  overrides: { readonly pool?: Partial<PoolInput>; readonly listener?: Partial<ListenerInput> } = {},
): Promise<Pointsman> {
  return startPointsman({
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }], ...overrides.listener }],
    pools: [
      {
        name: 'web',
        policy: 'round-robin',
        endpoints: endpoints.map(({ name }) => name),
        ...overrides.pool,
      },
    ],
  });
}

/** A GET without a body, with these lines in its head. */
export function get(target: string, ...lines: string[]): string {
  return [`GET ${target} HTTP/1.1`, 'Host: a.test', ...lines, '', ''].join('\r\n');
}

/** A POST with a length. */
export function post(target: string, body: string, ...lines: string[]): string {
  const head = [
    `POST ${target} HTTP/1.1`,
    'Host: a.test',
    `Content-Length: ${body.length}`,
    ...lines,
    '',
    '',
  ];
  return head.join('\r\n') + body;
}

/** Asks several times over one connection, one after the other. */
export async function askInTurn(pointsman: Pointsman, requests: readonly string[]): Promise<HttpMessage[]> {
  const wire = await dial(pointsman.address());
  const answers: HttpMessage[] = [];
  for (const request of requests) {
    wire.send(request);
    answers.push(await wire.answer(request.slice(0, request.indexOf(' '))));
  }
  wire.close();
  return answers;
}

/** Asks on connections of their own, all at once. */
export function askAtOnce(pointsman: Pointsman, requests: readonly string[]): Promise<HttpMessage[]> {
  return Promise.all(requests.map((request) => ask(pointsman.address(), request, 15_000)));
}
