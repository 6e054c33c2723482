import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';

import { type Pebble, startPebble } from '../support/pebble.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { freePorts } from '../support/free-ports.ts';

/** Certificates from a real ACME server, while traffic flows. */

/** For a machine that is busy. */
const LIMIT_MS = 40_000;
const withPebble = testWith('pebble', 'pebble-challtestsrv', 'openssl');

let directory: string;
let storage: string;
let httpPort: number;
let tlsPort: number;
let pebblePort: number;
let pebble: Pebble | undefined;
let pointsman: Pointsman | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-acme-'));
  storage = join(directory, 'acme');
  [httpPort = 0, tlsPort = 0, pebblePort = 0] = await freePorts(3);
});

afterEach(async () => {
  await pointsman?.stop('SIGKILL');
  await pebble?.stop();
  pointsman = undefined;
  pebble = undefined;
  rmSync(directory, { recursive: true, force: true });
});

type Names = (string | { readonly names: string[] })[];

const answer = { routes: [{ reply: { status: 200, body: 'here' } }] };

function config(names: Names, more: Partial<TestConfig['acme']> = {}): TestConfig {
  return {
    acme: {
      directory: `https://127.0.0.1:${pebblePort}/dir`,
      storage,
      ca: join(directory, 'pebble.pem'),
      ...more,
    },
    listeners: [
      { name: 'plain', address: `127.0.0.1:${httpPort}`, ...answer },
      { name: 'secure', address: `127.0.0.1:${tlsPort}`, tls: { acme: names, strictSni: true }, ...answer },
    ],
  };
}

async function startServer(validitySeconds?: number): Promise<void> {
  pebble = await startPebble({
    httpPort,
    tlsPort,
    port: pebblePort,
    ...(validitySeconds === undefined ? {} : { validitySeconds }),
  });
  await Bun.write(join(directory, 'pebble.pem'), Bun.file(pebble.ca));
}

/** The certificate that is shown for a name; undefined when the handshake fails. */
function shown(name: string): Promise<X509Certificate | undefined> {
  return new Promise((resolve) => {
    const socket = tls.connect(
      { host: '127.0.0.1', port: tlsPort, servername: name, rejectUnauthorized: false },
      () => {
        const { raw } = socket.getPeerCertificate();
        socket.destroy();
        resolve(raw === undefined ? undefined : new X509Certificate(raw));
      },
    );
    socket.on('error', () => resolve(undefined));
  });
}

async function eventually<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    const found = await look();
    if (found !== undefined) return found;
    await Bun.sleep(50);
  }
  throw new Error(`${what}:\n${pointsman?.logs()}`);
}

const issued = (name: string) => eventually(() => shown(name), `no certificate for ${name}`);

function tries(): number {
  return pointsman!.lines('certificate-failed').length;
}

describe('certificates by ACME', () => {
  for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
    withPebble(
      `are had by ${challenge}, served, and kept over a restart`,
      async () => {
        await startServer();
        const wanted = config(['a.example.com', { names: ['b.example.com', 'www.b.example.com'] }], {
          challenge,
        });
        pointsman = await startPointsman(wanted);
        const first = await issued('a.example.com');
        expect(first.subjectAltName).toBe('DNS:a.example.com');
        expect(first.issuer).toContain('Pebble');
        await issued('www.b.example.com');
        expect((await issued('b.example.com')).subjectAltName).toContain('DNS:www.b.example.com');
        expect(tries()).toBe(0);
        expect(readdirSync(join(storage, 'challenges', challenge))).toEqual([]);
        await pointsman.stop();
        await pebble!.stop();
        pebble = undefined;
        pointsman = await startPointsman(wanted);
        expect((await shown('a.example.com'))?.serialNumber).toBe(first.serialNumber);
        expect(pointsman.lines('certificate-issued', 'certificate-failed')).toEqual([]);
      },
      LIMIT_MS,
    );
  }

  withPebble(
    'are renewed without a dropped connection',
    async () => {
      // Six seconds of life: renewed after four, but not more often than once a minute.
      await startServer(6);
      pointsman = await startPointsman(config(['a.example.com']));
      const first = await issued('a.example.com');
      const open = tls.connect({
        host: '127.0.0.1',
        port: tlsPort,
        servername: 'a.example.com',
        rejectUnauthorized: false,
      });
      let text = '';
      open.on('data', (data: Buffer) => (text += data.toString()));
      await new Promise((resolve) => open.once('secureConnect', resolve));
      // A second instance finds it due at once, and shares the storage with the first.
      await Bun.sleep(4500);
      const [port = 0] = await freePorts(1);
      const other = await startPointsman({
        ...config(['a.example.com']),
        listeners: [
          { name: 'other', address: `127.0.0.1:${port}`, tls: { acme: ['a.example.com'] }, ...answer },
        ],
      });
      try {
        await eventually(
          () => Promise.resolve(other.lines('certificate-issued').length > 0 ? true : undefined),
          'not renewed',
        );
      } finally {
        await other.stop('SIGKILL');
      }
      // The first takes it at its next reload.
      await pointsman.reload(config(['a.example.com']));
      expect((await shown('a.example.com'))?.serialNumber).not.toBe(first.serialNumber);
      open.write('GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n');
      await eventually(() => Promise.resolve(text.includes('here') ? true : undefined), 'no answer');
      open.destroy();
    },
    LIMIT_MS,
  );

  withPebble(
    'a server that is down costs no traffic, and is asked again',
    async () => {
      await startServer();
      pointsman = await startPointsman(config(['a.example.com']));
      const first = await issued('a.example.com');
      await pebble!.stop();
      pebble = undefined;
      await pointsman.reload(config(['a.example.com', 'later.example.com']));
      await eventually(() => Promise.resolve(tries() > 0 ? true : undefined), 'nothing was tried');
      expect(pointsman.lines('certificate-failed')[0]).toContain('later.example.com');
      expect((await shown('a.example.com'))?.serialNumber).toBe(first.serialNumber);
      expect((await fetch(`http://127.0.0.1:${httpPort}/`)).status).toBe(200);
    },
    LIMIT_MS,
  );

  withPebble(
    'a proof that fails is told; what is served stays',
    async () => {
      await startServer();
      pointsman = await startPointsman(config(['a.example.com']));
      const first = await issued('a.example.com');
      // The server looks at a port where somebody else answers.
      await pebble!.stop();
      const answering = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('not this') });
      pebble = await startPebble({ httpPort: answering.port!, tlsPort, port: pebblePort });
      await Bun.write(join(directory, 'pebble.pem'), Bun.file(pebble.ca));
      await pointsman.reload(config(['a.example.com', 'wrong.example.com']));
      await eventually(() => Promise.resolve(tries() > 0 ? true : undefined), 'nothing was tried');
      expect(pointsman.lines('certificate-failed')[0]).toMatch(/wrong\.example\.com.*nextAttempt/);
      expect((await shown('a.example.com'))?.serialNumber).toBe(first.serialNumber);
      expect(readdirSync(join(storage, 'challenges', 'http-01'))).toEqual([]);
      await answering.stop(true);
    },
    LIMIT_MS,
  );

  withPebble(
    'other requests below /.well-known/acme-challenge/ go where routes say',
    async () => {
      await startServer();
      pointsman = await startPointsman(config(['a.example.com']));
      for (const path of ['unknown', 'a/b', '']) {
        const answer = await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/${path}`);
        expect(await answer.text()).toBe('here');
      }
      await issued('a.example.com');
    },
    LIMIT_MS,
  );

  test(
    'a storage that cannot be written is told, and traffic flows',
    async () => {
      writeFileSync(join(directory, 'acme'), 'in the way');
      writeFileSync(join(directory, 'pebble.pem'), '');
      pointsman = await startPointsman(config(['a.example.com']));
      await eventually(() => Promise.resolve(tries() > 0 ? true : undefined), 'nothing was tried');
      expect(pointsman.lines('certificate-storage')).toHaveLength(1);
      expect((await fetch(`http://127.0.0.1:${httpPort}/`)).status).toBe(200);
      expect(existsSync(join(storage, 'certificates'))).toBe(false);
    },
    LIMIT_MS,
  );
});
