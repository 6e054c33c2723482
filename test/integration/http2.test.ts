import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { TestCa } from '../support/certificates.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';

const MIB = 1024 * 1024;
const testCurl = testWith('curl', 'openssl');
const testH2load = testWith('h2load', 'openssl');

/** Bytes whose place shows in them, so that a loss, a repetition or a swap is seen. */
function pattern(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index, 2_654_435_761);
  return Buffer.from(words.buffer, 0, length);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Answers with the digest of what it was sent, or with as many bytes as it is asked for. */
function startHasher() {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const [, kind, size] = pathname.split('/');
      if (kind === 'bytes') return new Response(pattern(Number(size)));
      if (kind === 'chunks') return new Response(new Blob([pattern(Number(size))]).stream());
      const hash = createHash('sha256');
      let length = 0;
      for await (const piece of request.body ?? []) {
        hash.update(piece);
        length += piece.length;
      }
      return new Response(`${request.method} ${length} ${hash.digest('hex')}`);
    },
  });
}

async function run(command: readonly string[], input?: string): Promise<string> {
  const stdin = input === undefined ? 'ignore' : Bun.file(input);
  const child = Bun.spawn([...command], { stdin, stdout: 'pipe', stderr: 'pipe' });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect({ code: await child.exited, errors }).toEqual({ code: 0, errors: expect.anything() });
  return output;
}

describe('HTTP/2 clients', () => {
  let endpoint: ReturnType<typeof startHasher>;
  let pointsman: Pointsman;
  let ca: TestCa;
  let directory: string;
  let plain: string;
  let secure: string;

  beforeAll(async () => {
    endpoint = startHasher();
    ca = new TestCa();
    directory = mkdtempSync(join(tmpdir(), 'pointsman-http2-'));
    const tls = { certificates: [ca.issue('a.example', { names: ['a.example', '127.0.0.1'] })] };
    const routes = [{ pool: 'web' }];
    pointsman = await startPointsman({
      listeners: [
        { name: 'plain', address: '127.0.0.1:0', http2: { cleartext: true }, routes },
        { name: 'secure', address: '127.0.0.1:0', tls, http2: { maxConcurrentStreams: 1000 }, routes },
      ],
      pools: [{ name: 'web', endpoints: [`127.0.0.1:${endpoint.port}`] }],
    });
    plain = `http://127.0.0.1:${pointsman.address('plain').port}`;
    secure = `https://127.0.0.1:${pointsman.address('secure').port}`;
  });

  afterAll(async () => {
    await pointsman.stop();
    await endpoint.stop(true);
    ca[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  const SIZES = [0, 1, 16_384, 65_535, 65_536, 3 * MIB, 100 * MIB];

  testCurl.each(SIZES.flatMap((size) => [[size, 'plain'] as const, [size, 'secure'] as const]))(
    'curl: bodies of %d bytes both ways, %s',
    async (size, kind) => {
      const flags = kind === 'plain' ? ['--http2-prior-knowledge'] : ['--insecure', '--http2'];
      const url = kind === 'plain' ? plain : secure;
      const body = pattern(size);
      const file = join(directory, `body-${size}`);
      await Bun.write(file, body);
      const curl = ['curl', '--silent', '--max-time', '60', ...flags];
      const upload = [...curl, '-H', 'Expect:', '-w', ' %{http_version}', `${url}/hash`];
      const told = await run([...upload, '--data-binary', `@${file}`]);
      expect(told).toBe(`POST ${size} ${digest(body)} 2`);
      // From a pipe: without a length.
      expect(await run([...upload, '--upload-file', '-'], file)).toBe(`PUT ${size} ${digest(body)} 2`);
      for (const way of ['bytes', 'chunks']) {
        const received = join(directory, `${way}-${size}`);
        await run([...curl, '-o', received, `${url}/${way}/${size}`]);
        expect(
          digest(
            await Bun.file(received)
              .bytes()
              .catch(() => new Uint8Array()),
          ),
        ).toBe(digest(body));
        rmSync(received, { force: true });
      }
    },
    90_000,
  );

  testH2load(
    'h2load: 1000 streams at once, on ten connections and on one',
    async () => {
      for (const [url, connections, streams] of [
        [plain, 10, 100],
        [secure, 10, 100],
        [secure, 1, 1000],
      ] as const) {
        const told = await run([
          'h2load',
          '-n',
          '5000',
          '-c',
          String(connections),
          '-m',
          String(streams),
          `${url}/bytes/100`,
        ]);
        expect(told).toContain('5000 succeeded, 0 failed, 0 errored');
      }
      const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
      expect(metrics).toContain('pointsman_http2_open_streams{listener="secure"} 0');
      expect(metrics).toContain('pointsman_http2_abuse_total{listener="secure",reason="rapid_reset"} 0');
    },
    60_000,
  );

  test('node:http2: streams side by side, trailers, and a request that is given up', async () => {
    const session = http2.connect(plain);
    const ask = (path: string, body?: Buffer): Promise<string> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST' });
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => resolve(digest(Buffer.concat(pieces))));
        stream.on('error', reject);
        stream.end(body);
      });
    const answers = await Promise.all([
      ask('/bytes/100000'),
      ask('/chunks/200000'),
      ...Array.from({ length: 50 }, () => ask('/hash', pattern(50_000))),
    ]);
    expect(answers.slice(0, 2)).toEqual([digest(pattern(100_000)), digest(pattern(200_000))]);
    expect(new Set(answers.slice(2)).size).toBe(1);
    const given = session.request({ ':path': '/bytes/50000000' });
    given.on('error', () => {});
    await new Promise((resolve) => given.once('data', resolve));
    given.close(http2.constants.NGHTTP2_CANCEL);
    expect(await ask('/bytes/10')).toBe(digest(pattern(10)));
    session.close();
  });
});
