import { describe, expect } from 'bun:test';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';

import { opensslTalk, TestCa } from '../support/certificates.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { TlsWire } from '../support/tls-client.ts';

const testOpenssl = testWith('openssl');

async function until(what: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error('it did not come to that');
    await Bun.sleep(10);
  }
}

describe('certificates replaced while running', () => {
  function config(ca: TestCa, endpoint: ScriptedEndpoint, more: Partial<TestConfig> = {}): TestConfig {
    const certificates = [{ cert: ca.file('live.pem'), key: ca.file('live.key') }];
    return {
      listeners: [
        { name: 'secure', address: '127.0.0.1:0', tls: { certificates }, routes: [{ pool: 'web' }] },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
      ...more,
    };
  }

  /** Puts the files of a certificate where the configuration says. */
  function install(ca: TestCa, name: string): void {
    for (const ending of ['pem', 'key']) {
      copyFileSync(ca.file(`${name}.${ending}`), ca.file(`live.new`));
      renameSync(ca.file('live.new'), ca.file(`live.${ending}`));
    }
  }

  async function shown(pointsman: Pointsman, ca: TestCa): Promise<string> {
    const wire = await TlsWire.connect(pointsman.address('secure'), { servername: 'a.example', ca: ca.pem });
    const { CN } = wire.socket.getPeerCertificate().subject;
    wire.close();
    return String(CN);
  }

  testOpenssl(
    'under load no connection and no request is lost',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      for (const name of ['one', 'two', 'three']) ca.issue(name, { names: ['a.example'] });
      install(ca, 'one');
      await using pointsman = await startPointsman(config(ca, endpoint));
      const address = pointsman.address('secure');
      const options = { servername: 'a.example', ca: ca.pem };
      const load = { stopped: false };
      let requests = 0;
      let handshakes = 0;
      const keptOpen = Array.from({ length: 4 }, async () => {
        const wire = await TlsWire.connect(address, options);
        while (!load.stopped) {
          const response = await wire.get('/', 'a.example');
          expect(response.status).toBe(200);
          requests++;
        }
        wire.close();
      });
      const comingAndGoing = Array.from({ length: 2 }, async () => {
        while (!load.stopped) {
          const wire = await TlsWire.connect(address, options);
          expect((await wire.get('/', 'a.example')).status).toBe(200);
          wire.close();
          handshakes++;
        }
      });
      for (const [count, name] of ['two', 'three', 'one', 'two'].entries()) {
        install(ca, name);
        pointsman.signal('SIGHUP');
        expect(await pointsman.reloads(count + 1)).toContain('tls.certificates');
        expect(await shown(pointsman, ca)).toBe(name);
      }
      const before = requests;
      await until(() => requests > before + 20 && handshakes > 10);
      load.stopped = true;
      await Promise.all([...keptOpen, ...comingAndGoing]);
    },
    30_000,
  );

  testOpenssl(
    'a certificate that will not do is refused, and the one in force stays',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      ca.issue('one', { names: ['a.example'] });
      ca.issue('two', { names: ['a.example'] });
      ca.issue('old', { names: ['a.example'], days: 0 });
      install(ca, 'one');
      await using pointsman = await startPointsman(config(ca, endpoint));
      const wire = await TlsWire.connect(pointsman.address('secure'), {
        servername: 'a.example',
        ca: ca.pem,
      });
      let count = 0;
      const refusedBy = async (spoil: () => void): Promise<string> => {
        spoil();
        pointsman.signal('SIGHUP');
        expect(await pointsman.reloads(++count)).toContain('reload-refused');
        expect(await shown(pointsman, ca)).toBe('one');
        expect((await wire.get('/', 'a.example')).status).toBe(200);
        return pointsman.lines('config-error').at(-1) ?? '';
      };
      expect(await refusedBy(() => copyFileSync(ca.file('two.key'), ca.file('live.key')))).toContain(
        'is not the key of',
      );
      expect(await refusedBy(() => writeFileSync(ca.file('live.pem'), 'nonsense'))).toContain(
        'no certificate',
      );
      expect(await refusedBy(() => install(ca, 'old'))).toContain('expired on');
      wire.close();
    },
    20_000,
  );

  testOpenssl(
    'with watch, a changed file is noticed by itself',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      ca.issue('one', { names: ['a.example'] });
      ca.issue('two', { names: ['a.example'] });
      install(ca, 'one');
      await using pointsman = await startPointsman(config(ca, endpoint, { watch: true }));
      expect(await shown(pointsman, ca)).toBe('one');
      install(ca, 'two');
      await until(async () => (await shown(pointsman, ca)) === 'two');
    },
    20_000,
  );

  testOpenssl(
    'sessions are resumed, also after a reload; metrics count it',
    async () => {
      using ca = new TestCa();
      await using endpoint = await ScriptedEndpoint.start();
      ca.issue('one', { names: ['a.example'] });
      install(ca, 'one');
      const before = config(ca, endpoint);
      await using pointsman = await startPointsman(before);
      const { port } = pointsman.address('secure');
      const at = `-connect 127.0.0.1:${port} -servername a.example`;
      const request = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
      const session = ca.file('session');
      for (const version of ['-tls1_3', '-tls1_2']) {
        expect(
          await opensslTalk(`s_client ${at} ${version} -ign_eof -sess_out ${session}`, request),
        ).toContain('New, TLSv1');
        expect(
          await opensslTalk(`s_client ${at} ${version} -ign_eof -sess_in ${session}`, request),
        ).toContain('Reused, TLSv1');
        const [listener] = before.listeners;
        await pointsman.reload({
          ...before,
          listeners: [{ ...listener!, timeouts: { idle: version === '-tls1_3' ? '9s' : '8s' } }],
        });
        expect(
          await opensslTalk(`s_client ${at} ${version} -ign_eof -sess_in ${session}`, request),
        ).toContain('Reused, TLSv1');
      }
      const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
      expect(metrics).toContain('pointsman_tls_handshakes_total{listener="secure"} 6');
      expect(metrics).toContain('pointsman_tls_handshakes_resumed_total{listener="secure"} 4');
      const until =
        /pointsman_certificate_not_after_seconds\{listener="secure",name="a.example",serial="[0-9A-F]+"\} (\d+)/.exec(
          metrics,
        )?.[1];
      const days = (Number(until) * 1000 - Date.now()) / 86_400_000;
      expect(Math.round(days)).toBe(30);
    },
    20_000,
  );
});
