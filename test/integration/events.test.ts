import { afterAll, beforeAll, describe, expect } from 'bun:test';

import { TestCa } from '../support/certificates.ts';
import { H2Endpoint } from '../support/h2-endpoint.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';

/*
 * Server-sent events and long polling: the endpoint says the next thing only when the client has the one before, so whatever is
 * kept back on the way stops everything.
 */

const testOpenssl = testWith('openssl');
const EVENTS = 20;

/** What an endpoint is told to say, by who asks. */
interface Talk {
  say(text: string): void;
  end(): void;
}

class Stage {
  readonly #talks = new Map<string, Talk>();
  readonly #waiting = new Map<string, (talk: Talk) => void>();

  enter(path: string, talk: Talk): void {
    this.#talks.set(path, talk);
    this.#waiting.get(path)?.(talk);
  }

  talk(path: string): Promise<Talk> {
    const talk = this.#talks.get(path);
    return talk === undefined
      ? new Promise((resolve) => this.#waiting.set(path, resolve))
      : Promise.resolve(talk);
  }
}

function startHttp1(stage: Stage): ReturnType<typeof Bun.serve> {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.includes('/poll/'))
        return new Promise<Response>((resolve) => {
          let said = '';
          stage.enter(pathname, {
            say: (text) => (said += text),
            end: () => resolve(new Response(said)),
          });
        });
      const body = new ReadableStream({
        start(sink) {
          stage.enter(pathname, { say: (text) => sink.enqueue(text), end: () => sink.close() });
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    },
  });
}

function startHttp2(stage: Stage): Promise<H2Endpoint> {
  return H2Endpoint.start((stream, headers) => {
    const path = String(headers[':path']);
    const begin = (): void => stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    const polled = path.includes('/poll/');
    if (!polled) begin();
    let said = '';
    stage.enter(path, {
      say: (text) => (polled ? (said += text) : stream.write(text)),
      end: () => {
        if (polled) begin();
        stream.end(said);
      },
    });
  });
}

describe('nothing is kept back', () => {
  const stage = new Stage();
  let ca: TestCa;
  let http1: ReturnType<typeof Bun.serve>;
  let http2: H2Endpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    ca = new TestCa();
    const certificates = [ca.issue('a.test', { names: ['a.test', 'IP:127.0.0.1'] })];
    http1 = startHttp1(stage);
    http2 = await startHttp2(stage);
    const routes = [{ match: { path: '/h2c/*' }, pool: 'h2c' }, { pool: 'h1' }];
    pointsman = await startPointsman({
      listeners: [
        { name: 'plain', address: '127.0.0.1:0', routes },
        {
          name: 'secure',
          address: '127.0.0.1:0',
          tls: { certificates, alpn: ['h3', 'h2', 'http/1.1'] },
          routes,
        },
      ],
      pools: [
        { name: 'h1', endpoints: [`127.0.0.1:${http1.port}`] },
        { name: 'h2c', endpoints: [http2.name], protocol: 'h2c' },
      ],
    });
  });

  afterAll(async () => {
    await pointsman.stop('SIGKILL');
    await http1.stop(true);
    await http2[Symbol.asyncDispose]();
    ca[Symbol.dispose]();
  });

  function get(listener: string, protocol: string, path: string): Promise<Response> {
    const { host, port } = pointsman.address(listener);
    const scheme = listener === 'secure' ? 'https' : 'http';
    const tls = { rejectUnauthorized: false };
    const more = listener === 'secure' ? { protocol, tls } : {};
    return fetch(`${scheme}://${host}:${port}${path}`, more as RequestInit);
  }

  for (const [listener, protocol] of [
    ['plain', 'http1.1'],
    ['secure', 'http1.1'],
    ['secure', 'http2'],
    ['secure', 'http3'],
  ] as const)
    for (const endpoint of ['h1', 'h2c']) {
      const who = `${listener} ${protocol} to ${endpoint}`;

      testOpenssl(`${who}: server-sent events, one at a time`, async () => {
        const path = `/${endpoint}/events/${listener}-${protocol}`;
        const asked = get(listener, protocol, path);
        const talk = await stage.talk(path);
        talk.say('data: 0\n\n');
        const response = await asked;
        expect(response.headers.get('content-type')).toBe('text/event-stream');
        const reader = response.body!.getReader();
        const text = new TextDecoder();
        for (let event = 0; event < EVENTS; event++) {
          let heard = '';
          while (!heard.endsWith('\n\n')) heard += text.decode((await reader.read()).value);
          expect(heard).toBe(`data: ${event}\n\n`);
          if (event + 1 < EVENTS) talk.say(`data: ${event + 1}\n\n`);
        }
        talk.end();
        expect((await reader.read()).done).toBe(true);
      });

      testOpenssl(`${who}: a poll is answered when there is something`, async () => {
        const path = `/${endpoint}/poll/${listener}-${protocol}`;
        let answered = false;
        const asked = get(listener, protocol, path).then((response) => {
          answered = true;
          return response.text();
        });
        const talk = await stage.talk(path);
        await Bun.sleep(50);
        expect(answered).toBe(false);
        talk.say('news');
        talk.end();
        expect(await asked).toBe('news');
      });
    }
});
