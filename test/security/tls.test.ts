import { afterAll, beforeAll, describe, expect } from 'bun:test';

import { opensslTalk, TestCa } from '../support/certificates.ts';
import { clientHello } from '../support/client-hello.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { TlsWire } from '../support/tls-client.ts';
import { dial, type Wire } from '../support/wire.ts';

const testOpenssl = testWith('openssl');

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';

describe('hostile handshakes', () => {
  let ca: TestCa;
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    ca = new TestCa();
    const certificates = [ca.issue('a.example', { kind: 'rsa' })];
    endpoint = await ScriptedEndpoint.start();
    pointsman = await startPointsman({
      listeners: [
        {
          name: 'secure',
          address: '127.0.0.1:0',
          tls: { certificates, strictSni: true, handshakeTimeout: '300ms' },
          routes: [{ pool: 'web' }],
        },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
  });

  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
    ca[Symbol.dispose]();
  });

  async function failures(reason: string): Promise<number> {
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    const line = new RegExp(`handshake_failures_total\\{listener="secure",reason="${reason}"\\} (\\d+)`);
    return Number(line.exec(metrics)?.[1] ?? Number.NaN);
  }

  async function until(what: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!(await what())) {
      if (performance.now() > deadline) throw new Error('it did not come to that');
      await Bun.sleep(5);
    }
  }

  /** Sends bytes and waits for the end; counts as one failure of that reason. */
  async function refused(reason: string, send: (wire: Wire) => void): Promise<Buffer> {
    const before = await failures(reason);
    const wire = await dial(pointsman.address('secure'));
    send(wire);
    await until(() => wire.ending !== 'open');
    await until(async () => (await failures(reason)) === before + 1);
    const { received } = wire;
    wire.close();
    return received;
  }

  const alertOf = (received: Buffer): number[] => [received[0] ?? -1, received.at(-1) ?? -1];

  testOpenssl('a request in the clear is told that the port speaks TLS', async () => {
    const answer = (await refused('not-tls', (wire) => wire.send(REQUEST))).toString();
    expect(answer).toStartWith('HTTP/1.1 400 Bad Request\r\n');
    expect(answer).toContain('\r\nConnection: close\r\n');
    expect(answer).toContain('This port speaks TLS');
    const large = `POST / HTTP/1.1\r\nHost: a\r\n\r\n${'x'.repeat(100_000)}`;
    expect((await refused('not-tls', (wire) => wire.send(large))).toString()).toBe(answer);
  });

  testOpenssl('what else is no TLS is told from it, and not answered', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    expect((await refused('not-tls', (wire) => wire.send(preface))).length).toBe(0);
    expect((await refused('not-tls', (wire) => wire.send(Buffer.alloc(4096, 0xaa)))).length).toBe(0);
    expect(
      (await refused('version', (wire) => wire.send(Buffer.from([0x80, 0x2e, 1, 3, 1, 0, 0, 0])))).length,
    ).toBeLessThan(10);
  });

  testOpenssl('malformed and oversized hellos get an alert', async () => {
    const malformed = await refused('malformed', (wire) =>
      wire.send(Buffer.concat([Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 9])])),
    );
    expect(alertOf(malformed)).toEqual([21, 50]);
    const large = await refused('too-large', (wire) =>
      wire.send(Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff])),
    );
    expect(alertOf(large)).toEqual([21, 50]);
    const unknown = await refused('unknown-name', (wire) =>
      wire.send(clientHello({ serverName: 'b.example' })),
    );
    expect(alertOf(unknown)).toEqual([21, 112]);
  });

  testOpenssl('who is slow or leaves is let go', async () => {
    const hello = clientHello({ serverName: 'a.example' });
    await refused('timeout', () => {});
    await refused('timeout', (wire) => wire.send(hello.subarray(0, 40)));
    await refused('timeout', (wire) => wire.send(Buffer.from([22])));
    await refused('closed', (wire) => {
      wire.send(hello.subarray(0, 40));
      wire.socket.end();
    });
    // A byte now and then does not gain time.
    const begun = performance.now();
    await refused('timeout', (wire) => {
      let at = 0;
      const timer = setInterval(() => {
        if (wire.ending === 'open' && at < 30) wire.send(hello.subarray(at, ++at));
        else clearInterval(timer);
      }, 20);
    });
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  testOpenssl('old versions, weak ciphers, renegotiation and compression are not to be had', async () => {
    const { port } = pointsman.address('secure');
    const at = `s_client -connect 127.0.0.1:${port} -servername a.example`;
    for (const version of ['-tls1', '-tls1_1'])
      expect(await opensslTalk(`${at} ${version} -cipher ALL:@SECLEVEL=0`, '')).toContain('Cipher is (NONE)');
    for (const cipher of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA', 'AES256-SHA', 'NULL', 'aNULL'])
      expect(await opensslTalk(`${at} -tls1_2 -cipher ${cipher}:@SECLEVEL=0`, '')).toContain(
        'Cipher is (NONE)',
      );
    const good = await opensslTalk(`${at} -tls1_2 -comp`, '');
    expect(good).toContain('Compression: NONE');
    expect(good).toContain('Secure Renegotiation IS supported');
    const again = await opensslTalk(`${at} -tls1_2`, 'R\n');
    expect(again).toContain('no renegotiation');
  });

  testOpenssl(
    'key updates are followed; a flood of them ends the connection',
    async () => {
      const { port } = pointsman.address('secure');
      const at = `s_client -connect 127.0.0.1:${port} -servername a.example -tls1_3 -alpn http/1.1`;
      const talk = async (updates: number): Promise<string> => {
        const child = Bun.spawn(['openssl', ...at.split(' ')], {
          stdin: 'pipe',
          stdout: 'pipe',
          stderr: 'pipe',
        });
        const said = new Response(child.stdout).text();
        let told = '';
        void (async () => {
          const decoder = new TextDecoder();
          for await (const piece of child.stderr) told += decoder.decode(piece);
        })();
        // It takes a command from the beginning of each piece that it reads, so each waits for the one before it.
        try {
          for (let sent = 1; sent <= updates && child.exitCode === null; sent++) {
            void child.stdin.write('K\n');
            await child.stdin.flush();
            await until(() => told.split('KEYUPDATE').length > sent || child.exitCode !== null);
          }
          void child.stdin.write(REQUEST);
          await child.stdin.flush();
        } catch {
          // The connection was ended, and openssl went with it: what it printed tells.
        }
        const closed = await Promise.race([child.exited, Bun.sleep(5000)]);
        if (closed === undefined) child.kill();
        return said;
      };
      expect(await talk(5)).toContain('HTTP/1.1 200');
      expect(await talk(50)).not.toContain('HTTP/1.1 200');
    },
    20_000,
  );

  testOpenssl('bytes behind the handshake that are no TLS end it; the others live on', async () => {
    const wire = await TlsWire.connect(pointsman.address('secure'), { servername: 'a.example', ca: ca.pem });
    const other = await TlsWire.connect(pointsman.address('secure'), { servername: 'a.example', ca: ca.pem });
    expect((await wire.get('/', 'a.example')).status).toBe(200);
    // Through the TLS of the client, straight to its socket.
    const raw = await dial(pointsman.address('secure'));
    raw.send(clientHello({ serverName: 'a.example' }));
    await until(() => raw.received.length > 0);
    raw.send(Buffer.alloc(2000, 0x17));
    await until(() => raw.ending !== 'open');
    raw.close();
    expect((await other.get('/', 'a.example')).status).toBe(200);
    expect((await wire.get('/', 'a.example')).status).toBe(200);
    wire.close();
    other.close();
  });

  testOpenssl(
    'two thousand handshakes that are begun and dropped cost nothing that stays',
    async () => {
      const address = pointsman.address('secure');
      const hello = clientHello({ serverName: 'a.example' });
      const wave = async (): Promise<void> => {
        const wires = await Promise.all(Array.from({ length: 200 }, () => dial(address)));
        for (const [index, wire] of wires.entries()) {
          wire.send(index % 2 === 0 ? hello : hello.subarray(0, 50));
          if (index % 3 === 0) wire.reset();
        }
        await until(() => wires.every(({ ending }) => ending !== 'open'));
        for (const wire of wires) wire.close();
      };
      for (let round = 0; round < 4; round++) await wave();
      const filesBefore = pointsman.openFiles();
      const bytesBefore = pointsman.workerRssBytes();
      for (let round = 0; round < 6; round++) await wave();
      await until(() => pointsman.openFiles() <= filesBefore + 5);
      expect(pointsman.workerRssBytes() - bytesBefore).toBeLessThan(48 * 1024 * 1024);
      const wire = await TlsWire.connect(address, { servername: 'a.example', ca: ca.pem });
      expect((await wire.get('/', 'a.example')).status).toBe(200);
      wire.close();
      expect(pointsman.lines('defect')).toEqual([]);
    },
    60_000,
  );
});
