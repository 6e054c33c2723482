import { afterAll, beforeEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Log } from '../model/ports.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { testWith } from '../../test/support/programs.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { covers, pauseMs, renewAtMs } from './renewal.ts';
import { AcmeStorage } from './storage.ts';
import type { StoredCertificate } from './stored-certificate.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const withOpenssl = testWith('openssl');
const root = mkdtempSync(join(tmpdir(), 'pointsman-acme-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A certificate of 90 days from now on. */
function make(names: readonly string[]): StoredCertificate {
  const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=test -addext ${alternatives}`;
  const run = spawnSync('openssl', [...args.split(' '), '-keyout', '-', '-out', '-']);
  const [key, certificate] = String(run.stdout).split(/(?=-----BEGIN CERTIFICATE)/);
  return { key: key!, certificate: certificate! };
}

let storage: AcmeStorage;
let clock: FakeClock;
let asked: (readonly string[])[];
let renewed: string[];
let events: string[];
let refuse: string | undefined;
let runs = 0;

beforeEach(() => {
  storage = new AcmeStorage(join(root, String(runs++)));
  storage.prepare();
  clock = new FakeClock(Date.now());
  asked = [];
  renewed = [];
  events = [];
  refuse = undefined;
});

function keeper(): CertificateKeeper {
  const note = (event: string): void => void events.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  return new CertificateKeeper({
    storage,
    clock,
    log,
    random: { next: () => 0 },
    renewed: (name) => renewed.push(name),
    issuer: {
      issue(names) {
        asked.push(names);
        return refuse === undefined ? Promise.resolve(make(names)) : Promise.reject(new Error(refuse));
      },
    },
  });
}

/** Lets time pass in steps, so that what is asked for can be answered. */
async function pass(ms: number, steps = 1): Promise<void> {
  for (let step = 0; step < steps; step++) {
    clock.advance(ms / steps);
    await Bun.sleep(0);
  }
}

withOpenssl(
  'a certificate that is not there is asked for at once, and again after two thirds of its life',
  async () => {
    const kept = keeper();
    kept.want([['a.example', 'b.example']]);
    await pass(0);
    expect(asked).toEqual([['a.example', 'b.example']]);
    expect(renewed).toEqual(['a.example']);
    expect(covers(storage.certificate('a.example')!.certificate, ['b.example', 'a.example'])).toBe(true);
    await pass(59 * DAY_MS, 200);
    expect(asked).toHaveLength(1);
    await pass(2 * DAY_MS);
    expect(asked).toHaveLength(2);
    kept.stop();
    expect(clock.pending).toBe(0);
  },
);

withOpenssl('what is on disk is kept, unless it is for other names', async () => {
  storage.saveCertificate('a.example', make(['a.example']));
  const kept = keeper();
  kept.want([['a.example']]);
  await pass(DAY_MS);
  expect(asked).toEqual([]);
  kept.want([['a.example', 'c.example']]);
  await pass(0);
  expect(asked).toEqual([['a.example', 'c.example']]);
});

for (const { what, damage } of [
  {
    what: 'the key is cut short',
    damage: (one: StoredCertificate) => ({ ...one, key: one.key.slice(0, 80) }),
  },
  {
    what: 'the key is another one',
    damage: (one: StoredCertificate) => ({ ...one, key: make(['a.example']).key }),
  },
  {
    what: 'the certificate is cut short',
    damage: (one: StoredCertificate) => ({ ...one, certificate: one.certificate.slice(0, 80) }),
  },
])
  withOpenssl(`what is on disk and cannot be served is told and asked for anew: ${what}`, async () => {
    storage.saveCertificate('a.example', damage(make(['a.example'])));
    const kept = keeper();
    kept.want([['a.example']]);
    await pass(0);
    expect([asked, renewed]).toEqual([[['a.example']], ['a.example']]);
    expect(events).toContain('certificate-unreadable');
    await pass(DAY_MS);
    expect(asked).toHaveLength(1);
  });

withOpenssl('failures are told and tried again after growing pauses; the old certificate stays', async () => {
  const old = make(['a.example']);
  storage.saveCertificate('a.example', old);
  refuse = 'the server is down';
  const kept = keeper();
  kept.want([['a.example', 'b.example']]);
  await pass(0);
  expect(asked).toHaveLength(1);
  expect(kept.status()[0]).toMatchObject({ failures: 1, error: 'the server is down' });
  expect(storage.certificate('a.example')).toEqual(old);
  await pass(59_000);
  expect(asked).toHaveLength(1);
  await pass(1000);
  expect(asked).toHaveLength(2);
  await pass(11 * 60_000);
  expect(asked).toHaveLength(2);
  await pass(60_000);
  expect(asked).toHaveLength(3);
  refuse = undefined;
  await pass(20 * 60_000);
  expect(asked).toHaveLength(4);
  expect(kept.status()[0]).toMatchObject({ failures: 0, error: undefined });
  expect(events).toEqual([
    'certificate-failed',
    'certificate-failed',
    'certificate-failed',
    'certificate-issued',
  ]);
});

withOpenssl('who shares the directory waits for the other and takes what it got', async () => {
  expect(storage.locks.take('a.example', Date.now())).toBe(true);
  const kept = keeper();
  kept.want([['a.example']]);
  await pass(0);
  expect(asked).toEqual([]);
  storage.saveCertificate('a.example', make(['a.example']));
  storage.locks.release('a.example');
  await pass(61_000);
  expect(asked).toEqual([]);
  expect(kept.status()[0]!.nextAttemptMs).toBeGreaterThan(clock.wallMs() + 50 * DAY_MS);
});

withOpenssl('a disk that cannot be written is a failure like any other', async () => {
  rmSync(storage.directory, { recursive: true });
  const kept = keeper();
  kept.want([['a.example']]);
  await pass(0);
  expect(kept.status()[0]!.error).toContain('ENOENT');
  expect(asked).toEqual([]);
});

test('renewal is due after two thirds of the life, a little earlier by chance', () => {
  const validity = { fromMs: 1000, untilMs: 1000 + 90 * DAY_MS };
  expect(renewAtMs(validity, { next: () => 0 })).toBe(1000 + 60 * DAY_MS);
  expect(renewAtMs(validity, { next: () => 1 })).toBe(1000 + 57 * DAY_MS);
});

test('pauses grow up to six hours, and never five fit into one hour', () => {
  const pauses = Array.from({ length: 12 }, (_, index) => pauseMs(index + 1, { next: () => 0.999 }));
  for (const [index, pause] of pauses.entries())
    if (index > 0) expect(pause).toBeGreaterThanOrEqual(pauses[index - 1]!);
  expect(pauseMs(99, { next: () => 0 })).toBe(6 * HOUR_MS);
  expect(pauses[0]! + pauses[1]! + pauses[2]! + pauses[3]! + pauses[4]!).toBeGreaterThan(HOUR_MS);
});

test('a token or name cannot lead out of the directory', () => {
  writeFileSync(join(storage.directory, 'secret'), 'x');
  for (const token of ['../../secret', '..', '', 'a/b', 'a\0', 'a'.repeat(300)]) {
    expect(storage.challenges.keyAuthorization(token)).toBeUndefined();
    expect(() => storage.challenges.saveHttp(token, 'x')).toThrow(RangeError);
  }
  expect(storage.challenges.challengeCertificate('../account')).toBeUndefined();
  storage.challenges.saveHttp('tok-en_1', 'tok-en_1.thumb');
  expect(storage.challenges.keyAuthorization('tok-en_1')).toBe('tok-en_1.thumb');
  storage.challenges.removeHttp('tok-en_1');
  expect(storage.challenges.keyAuthorization('tok-en_1')).toBeUndefined();
});

test('only its owner can read what is stored', () => {
  storage.saveAccountKey('key');
  expect(statSync(storage.directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(storage.directory, 'account.key')).mode & 0o777).toBe(0o600);
});

test('leftovers are removed when they are old, and not before', () => {
  storage.challenges.saveHttp('old', 'x');
  storage.challenges.saveHttp('young', 'x');
  const file = join(storage.directory, 'challenges', 'http-01', 'old');
  const longAgo = new Date(Date.now() - HOUR_MS);
  utimesSync(file, longAgo, longAgo);
  storage.removeLeftovers(Date.now());
  expect(readdirSync(join(storage.directory, 'challenges', 'http-01'))).toEqual(['young']);
  expect(existsSync(file)).toBe(false);
});

test('a lock that was left behind is taken over after a while', () => {
  expect(storage.locks.take('a.example', Date.now())).toBe(true);
  expect(storage.locks.take('a.example', Date.now())).toBe(false);
  expect(storage.locks.take('a.example', Date.now() + HOUR_MS)).toBe(true);
});

test('the lock of a process of this machine that is gone is taken over at once', () => {
  const file = join(storage.directory, 'certificates', 'a.example.lock');
  const gone = spawnSync('true').pid;
  writeFileSync(file, `${hostname()} ${gone} 0123456789ab\n`);
  expect(storage.locks.take('a.example', Date.now())).toBe(true);
  // That of another machine, of one that lives, or in whatever other words, is not.
  for (const other of [
    `elsewhere ${gone} 0123456789ab\n`,
    `${hostname()} ${process.ppid} 0123456789ab\n`,
    '',
    '17\n',
  ]) {
    writeFileSync(file, other);
    expect(storage.locks.take('a.example', Date.now())).toBe(false);
  }
  // After a restart of a container the same number is somebody else.
  writeFileSync(file, `${hostname()} ${process.pid} 0123456789ab\n`);
  expect(storage.locks.take('a.example', Date.now())).toBe(true);
  expect(storage.locks.take('a.example', Date.now())).toBe(false);
});

test('a lock that could not be written, as on a full disk, is not left behind', () => {
  // A process that may write no byte into a file.
  const script = `
    import { AcmeStorage } from ${JSON.stringify(join(import.meta.dir, 'storage.ts'))};
    process.on('SIGXFSZ', () => {});
    try { new AcmeStorage(process.argv[2]).locks.take('a.example', Date.now()); } catch (error) { process.exit(error.code === 'EFBIG' ? 7 : 8); }
  `;
  const file = join(storage.directory, 'script.ts');
  writeFileSync(file, script);
  const run = spawnSync('bash', [
    '-c',
    'ulimit -f 0; exec "$@"',
    'bash',
    process.execPath,
    file,
    storage.directory,
  ]);
  expect({ status: run.status, said: String(run.stderr) }).toEqual({ status: 7, said: '' });
  expect(storage.locks.take('a.example', Date.now())).toBe(true);
});

withOpenssl('a lock that cannot be given back does not end the work', async () => {
  storage.locks.release = () => {
    throw new Error('read-only file system');
  };
  const kept = keeper();
  kept.want([['a.example'], ['b.example']]);
  await pass(0);
  await pass(0);
  expect(asked).toEqual([['a.example'], ['b.example']]);
  expect(events).toContain('certificate-lock-stays');
  expect(clock.pending).toBe(1);
});
