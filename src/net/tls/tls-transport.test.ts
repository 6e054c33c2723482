import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { readFileSync } from 'node:fs';

import { TestCa } from '../../../test/support/certificates.ts';
import { MemoryNetwork, type MemoryPeer } from '../../../test/support/memory-connection.ts';
import { testWith } from '../../../test/support/programs.ts';
import type { FailureCode } from '../../model/failures.ts';
import type { Connection, ConnectionHandler } from '../connection.ts';
import { TimerWheel } from '../timer-wheel.ts';
import { runTurn } from '../turn.ts';
import { TlsAcceptance } from './accept-tls.ts';
import { ClientTls, type ClientTlsSettings } from './client-tls.ts';
import { dialTls } from './dial-tls.ts';
import type { ServerTlsSettings } from './server-tls-settings.ts';
import { ServerTls } from './server-tls.ts';
import { TICKET_KEY_BYTES, TicketKeys } from './ticket-keys.ts';

const testOpenssl = testWith('openssl');

/** Takes down what happens on a connection. */
class Recorder implements ConnectionHandler {
  readonly connection: Connection;
  received = Buffer.alloc(0);
  readonly events: string[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
  }

  onData(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
  }

  onEnd(): void {
    this.events.push('end');
  }

  onCongested(): void {
    this.events.push('congested');
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onClose(cause: string): void {
    this.events.push(`close ${cause}`);
  }

  write(bytes: Buffer | string): void {
    const piece = Buffer.from(bytes);
    runTurn(() => this.connection.write(piece, 0, piece.length));
  }
}

/** A server and a client of ours, face to face in memory, with everything that goes between them in the hands of the test. */
class Pair {
  readonly network = new MemoryNetwork();
  readonly wheel = new TimerWheel();
  readonly serverPeer: MemoryPeer;
  readonly clientPeer: MemoryPeer;
  server: Recorder | undefined;
  client: Recorder | undefined;
  serverFailure = '';
  clientFailure: FailureCode | undefined;
  clientDetail = '';

  constructor(server: ServerTls, client: ClientTls) {
    this.serverPeer = this.network.peer();
    const accepted = this.serverPeer.connection;
    accepted.handler = new TlsAcceptance(accepted, server, this.wheel, 10_000, {
      onSecure: (connection) => {
        this.server = new Recorder(connection);
        return this.server;
      },
      onInsecure: ({ reason }) => {
        this.serverFailure = reason;
      },
      onViolation: () => {},
    });
    dialTls(this.network.dial, () => client)(this.wheel, 'a.example', 443, 10_000, {
      onConnected: (connection) => {
        this.client = new Recorder(connection);
        return this.client;
      },
      onDialFailed: (code, detail) => {
        this.clientFailure = code;
        this.clientDetail = detail;
      },
    });
    this.clientPeer = this.network.dials[0]!.accept();
  }

  /** Carries bytes to and fro until there are none, in pieces of at most `size`. */
  carry(size = Number.POSITIVE_INFINITY): this {
    for (let moved = true; moved;) {
      moved = false;
      for (const [from, to] of [
        [this.clientPeer, this.serverPeer],
        [this.serverPeer, this.clientPeer],
      ] as const) {
        const bytes = Buffer.from(from.takeReceived(), 'latin1');
        for (let at = 0; at < bytes.length; at += size) {
          moved = true;
          to.send(bytes.subarray(at, Math.min(bytes.length, at + size)));
        }
      }
    }
    return this;
  }
}

describe('TLS between two connections', () => {
  let ca: TestCa;
  let serverSettings: ServerTlsSettings;
  let clientSettings: ClientTlsSettings;

  beforeAll(() => {
    ca = new TestCa();
    const { cert, key } = ca.issue('a.example');
    const protocols = {
      minVersion: '1.2',
      maxVersion: '1.3',
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
      cipherSuites: 'TLS_AES_128_GCM_SHA256',
      curves: 'X25519:P-256',
    } as const;
    serverSettings = {
      ...protocols,
      name: 'test',
      certificates: [
        {
          file: cert,
          cert: readFileSync(cert, 'utf8'),
          key: readFileSync(key, 'utf8'),
          passphrase: '',
          names: undefined,
          staple: undefined,
        },
      ],
      defaultName: undefined,
      strict: false,
      challenges: undefined,
      alpn: ['http/1.1'],
      clientCertificate: undefined,
      sessionLifetimeMs: 3_600_000,
      ticketKeys: new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES, 1)]),
    };
    clientSettings = {
      ...protocols,
      verify: true,
      ca: ca.pem,
      serverName: undefined,
      certificate: undefined,
      alpn: ['http/1.1'],
      resumes: true,
    };
  });

  afterAll(() => ca[Symbol.dispose]());

  function pair(server: Partial<ServerTlsSettings> = {}, client: Partial<ClientTlsSettings> = {}): Pair {
    return new Pair(
      new ServerTls({ ...serverSettings, ...server }),
      new ClientTls({ ...clientSettings, ...client }),
    );
  }

  testOpenssl(
    'the handshake works however it is cut into pieces, and both sides know what was agreed on',
    () => {
      for (const maxVersion of ['1.3', '1.2'] as const) {
        for (const size of [1, 7, 100, Number.POSITIVE_INFINITY]) {
          const both = pair({ maxVersion }).carry(size);
          for (const side of [both.server, both.client]) {
            expect(side!.connection.tls).toMatchObject({
              version: `TLSv${maxVersion}`,
              alpn: 'http/1.1',
              serverName: 'a.example',
              resumed: false,
            });
          }
          both.client!.write('hello');
          both.carry(size);
          both.server!.write('world');
          both.carry(size);
          expect(both.server!.received.toString()).toBe('hello');
          expect(both.client!.received.toString()).toBe('world');
        }
      }
    },
  );

  testOpenssl(
    'a megabyte under back-pressure arrives whole, and is reported as taken no sooner than it is',
    () => {
      const both = pair().carry();
      const { server, client, serverPeer, clientPeer } = both;
      const body = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 7) % 253));
      serverPeer.hold(1000);
      server!.write(body);
      expect(server!.events).toEqual(['congested']);
      expect(server!.connection.bufferedBytes).toBeGreaterThan(body.length - 1000);
      let before = server!.connection.bufferedBytes;
      for (let step = 1; !server!.events.includes('drain'); step++) {
        expect(step).toBeLessThan(2000);
        serverPeer.take(10_000 + step * 37);
        clientPeer.send(Buffer.from(serverPeer.takeReceived(), 'latin1'));
        const arrived = client!.received.length;
        expect(server!.connection.bufferedBytes).toBeLessThanOrEqual(before);
        before = server!.connection.bufferedBytes;
        expect(body.length - before).toBeLessThanOrEqual(arrived + 17_000);
      }
      serverPeer.take();
      both.carry();
      expect(client!.received.equals(body)).toBe(true);
      expect(server!.connection.bufferedBytes).toBe(0);
    },
  );

  testOpenssl('a megabyte that one read brings is opened whole', () => {
    const both = pair().carry();
    const body = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 11) % 251));
    both.client!.write(body);
    both.carry();
    expect(both.server!.received.equals(body)).toBe(true);
    expect(both.server!.events).toEqual([]);
  });

  testOpenssl('close_notify is an end; a FIN without it is a reset', () => {
    const clean = pair().carry();
    clean.server!.write('all of it');
    runTurn(() => clean.server!.connection.shutdown());
    expect(clean.serverPeer.standing).toBe('fin');
    clean.carry();
    clean.clientPeer.fin();
    expect(clean.client!.received.toString()).toBe('all of it');
    expect(clean.client!.events).toEqual(['end']);
    clean.client!.write('and back');
    clean.carry();
    expect(clean.server!.received.toString()).toBe('and back');

    const cut = pair().carry();
    cut.server!.write('part of it');
    cut.carry();
    cut.clientPeer.fin();
    expect(cut.client!.events).toEqual(['close reset']);
    cut.serverPeer.fin();
    expect(cut.server!.events).toEqual(['close reset']);
  });

  testOpenssl('the end of what is said, close_notify and FIN leave together', () => {
    for (const end of ['shutdown', 'close'] as const) {
      const both = pair().carry();
      const { server } = both;
      runTurn(() => {
        server!.connection.write(Buffer.from('all of it'), 0, 9);
        server!.connection[end]();
      });
      expect(both.serverPeer.writes.length).toBe(1);
      both.carry();
      both.clientPeer.fin();
      expect(both.client!.received.toString()).toBe('all of it');
      expect(both.client!.events).toEqual(['end']);
    }
  });

  testOpenssl('... and nothing is lost when there is no room for them', () => {
    for (const room of [0, 1, 20, 40, 50]) {
      const both = pair().carry();
      const { server, serverPeer } = both;
      serverPeer.hold(room);
      runTurn(() => {
        server!.connection.write(Buffer.from('all of it'), 0, 9);
        server!.connection.shutdown();
      });
      expect(serverPeer.standing).toBe('open');
      serverPeer.take();
      expect(serverPeer.standing).toBe('fin');
      both.carry();
      expect(both.client!.received.toString()).toBe('all of it');
      expect(both.client!.events).toEqual(['end']);
    }
  });

  testOpenssl('FIN waits for what is still to be taken', () => {
    const both = pair().carry();
    both.serverPeer.hold(100);
    both.server!.write(Buffer.alloc(50_000, 65));
    runTurn(() => both.server!.connection.shutdown());
    expect(both.serverPeer.standing).toBe('open');
    both.serverPeer.take();
    expect(both.serverPeer.standing).toBe('fin');
    both.carry();
    expect(both.client!.received.length).toBe(50_000);
    expect(both.client!.events).toEqual(['end']);
  });

  testOpenssl('a record that was changed on its way ends the connection', () => {
    const both = pair().carry();
    both.client!.write('transfer 10 to A');
    const sealed = Buffer.from(both.clientPeer.takeReceived(), 'latin1');
    sealed[sealed.length - 20]! ^= 1;
    both.serverPeer.send(sealed);
    expect(both.server!.received.length).toBe(0);
    expect(both.server!.events).toEqual(['close error']);
    both.carry();
    expect(both.client!.events).toEqual(['close error']);
  });

  testOpenssl('data before a damaged record is still handed on, and nothing behind it', () => {
    const both = pair().carry();
    both.client!.write('first');
    const good = Buffer.from(both.clientPeer.takeReceived(), 'latin1');
    both.serverPeer.send(Buffer.concat([good, Buffer.from([23, 3, 3, 0, 20]), Buffer.alloc(20), good]));
    expect(both.server!.received.toString()).toBe('first');
    expect(both.server!.events).toEqual(['close error']);
  });

  testOpenssl('sessions are resumed with keys that were rotated, and not with keys that are gone', () => {
    const key = (fill: number): Buffer => Buffer.alloc(TICKET_KEY_BYTES, fill);
    for (const maxVersion of ['1.3', '1.2'] as const) {
      const ticketKeys = new TicketKeys([key(1)]);
      const server = new ServerTls({ ...serverSettings, maxVersion, ticketKeys });
      const client = new ClientTls(clientSettings);
      const resumed = (): boolean => {
        const both = new Pair(server, client).carry();
        both.server!.write('x');
        both.carry();
        runTurn(() => both.client!.connection.close());
        return both.server!.connection.tls!.resumed;
      };
      expect(resumed()).toBe(false);
      expect(resumed()).toBe(true);
      ticketKeys.replace([key(2), key(1)]);
      expect(resumed()).toBe(true);
      ticketKeys.replace([key(3)]);
      if (maxVersion === '1.3') ticketKeys.replace([key(4), key(3)]);
      expect(resumed()).toBe(false);
      expect(resumed()).toBe(true);
    }
  });

  testOpenssl(
    'a session of one listener is not resumed at another, nor where other certificates are asked for',
    () => {
      const client = new ClientTls(clientSettings);
      const resumed = (settings: Partial<ServerTlsSettings>): boolean => {
        const both = new Pair(new ServerTls({ ...serverSettings, ...settings }), client).carry();
        both.server!.write('x');
        both.carry();
        runTurn(() => both.client!.connection.close());
        return both.server!.connection.tls!.resumed;
      };
      expect(resumed({})).toBe(false);
      expect(resumed({})).toBe(true);
      expect(resumed({ name: 'another' })).toBe(false);
      const clientCertificate = { mode: 'optional', ca: ca.pem, depth: 2, crl: undefined } as const;
      expect(resumed({})).toBe(false);
      expect(resumed({ clientCertificate })).toBe(false);
    },
  );

  testOpenssl(
    'a client without the certificate that is wanted is refused: in TLS 1.3 when its side is over',
    () => {
      const clientCertificate = { mode: 'required', ca: ca.pem, depth: 2, crl: undefined } as const;
      const early = pair({ clientCertificate, maxVersion: '1.2' }).carry();
      expect([early.clientFailure, early.serverFailure]).toEqual(['tls_alert', 'certificate-missing']);
      const late = pair({ clientCertificate }).carry();
      expect([late.clientFailure, late.serverFailure]).toEqual([undefined, 'certificate-missing']);
      expect(late.client!.events).toEqual(['close refused']);
    },
  );

  testOpenssl('both sides are told why a handshake failed', () => {
    const wrongName = pair({}, { serverName: 'b.example' }).carry();
    expect(wrongName.clientFailure).toBe('tls_certificate');
    expect(wrongName.clientDetail).toContain('ostname mismatch');
    expect(wrongName.serverFailure).toBe('alert');
    const noProtocol = pair({}, { alpn: ['h3'] }).carry();
    expect([noProtocol.clientFailure, noProtocol.serverFailure]).toEqual(['tls_alert', 'no-protocol']);
    const strict = pair({ strict: true }, { serverName: 'b.example' }).carry();
    expect([strict.clientFailure, strict.serverFailure]).toEqual(['tls_alert', 'unknown-name']);
    const versions = pair({ minVersion: '1.3' }, { maxVersion: '1.2' }).carry();
    expect([versions.clientFailure, versions.serverFailure]).toEqual(['tls_alert', 'version']);
    const silent = pair();
    silent.serverPeer.fin();
    expect(silent.serverFailure).toBe('closed');
    silent.clientPeer.fin();
    expect(silent.clientFailure).toBe('tls_failed');
  });
});
