import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { readFileSync } from 'node:fs';

import { TestCa } from '../../../test/support/certificates.ts';
import { MemoryNetwork, type MemoryPeer } from '../../../test/support/memory-connection.ts';
import { testWith } from '../../../test/support/programs.ts';
import { CONTENT, RecordClient } from '../../../test/support/tls-records.ts';
import type { ConnectionHandler } from '../connection.ts';
import { TimerWheel } from '../timer-wheel.ts';
import { TlsAcceptance } from './accept-tls.ts';
import type { ServerTlsSettings } from './server-tls-settings.ts';
import { ServerTls } from './server-tls.ts';
import { TICKET_KEY_BYTES, TicketKeys } from './ticket-keys.ts';

const testOpenssl = testWith('openssl');

const PROTOCOLS = {
  minVersion: '1.2',
  maxVersion: '1.3',
  ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  cipherSuites: 'TLS_AES_128_GCM_SHA256',
  curves: 'X25519',
} as const;
const MAX_CONTENT_BYTES = 16 * 1024;

/** A client whose handshake is over, and what the server's side made of its records. */
class Scene {
  readonly client = new RecordClient(PROTOCOLS);
  readonly peer: MemoryPeer;
  received = '';
  ending = 'open';
  violations = 0;

  constructor(settings: ServerTlsSettings) {
    this.peer = new MemoryNetwork().peer();
    const { connection } = this.peer;
    const handler: ConnectionHandler = {
      onData: (bytes) => {
        this.received += bytes.latin1Slice();
      },
      onEnd: () => {
        this.ending = 'end';
      },
      onCongested: () => {},
      onDrain: () => {},
      onClose: (cause) => {
        this.ending = cause;
      },
    };
    connection.handler = new TlsAcceptance(connection, new ServerTls(settings), new TimerWheel(), 10_000, {
      onSecure: () => handler,
      onInsecure: ({ detail }) => {
        throw new Error(detail);
      },
      onViolation: () => {
        this.violations++;
      },
    });
    for (let heard = Buffer.alloc(0), step = 0; step < 2; step++) {
      this.peer.send(this.client.shakeHands(heard));
      heard = Buffer.from(this.peer.takeReceived(), 'latin1');
    }
  }

  send(...records: readonly Buffer[]): this {
    this.peer.send(Buffer.concat(records));
    return this;
  }

  /** It was ended for what came, once, and the client was sent an alert. */
  expectBroken(received = ''): void {
    expect([this.ending, this.received, this.violations]).toEqual(['error', received, 1]);
    expect(this.peer.takeReceived().length).toBeGreaterThan(0);
  }
}

describe('records that no honest client sends', () => {
  let ca: TestCa;
  let settings: ServerTlsSettings;

  beforeAll(() => {
    ca = new TestCa();
    const { cert, key } = ca.issue('a.example');
    settings = {
      ...PROTOCOLS,
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
      alpn: [],
      clientCertificate: undefined,
      sessionLifetimeMs: 3_600_000,
      ticketKeys: new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES, 1)]),
    };
  });

  afterAll(() => ca[Symbol.dispose]());

  testOpenssl('padding, the largest record, an empty one and key updates are honest', () => {
    const scene = new Scene(settings);
    const { client } = scene;
    const largest = 'x'.repeat(MAX_CONTENT_BYTES);
    scene.send(client.record(CONTENT.DATA, 'a', 1000), client.record(CONTENT.DATA, ''), client.keyUpdate(0));
    scene.send(client.record(CONTENT.DATA, 'b'), client.keyUpdate(1), client.record(CONTENT.DATA, largest));
    expect(scene.received).toBe(`ab${largest}`);
    expect([scene.ending, scene.violations]).toEqual(['open', 0]);
    scene.send(client.record(CONTENT.ALERT, Buffer.from([1, 0])));
    expect([scene.ending, scene.violations]).toEqual(['end', 0]);
  });

  testOpenssl('ten thousand records of one byte are taken for what they are', () => {
    const scene = new Scene(settings);
    const one = (): Buffer => scene.client.record(CONTENT.DATA, '.');
    for (let round = 0; round < 10; round++) scene.send(...Array.from({ length: 1000 }, one));
    expect(scene.received).toBe('.'.repeat(10_000));
    expect([scene.ending, scene.violations]).toEqual(['open', 0]);
  });

  testOpenssl('a flood of empty records ends the connection', () => {
    const scene = new Scene(settings);
    scene.send(scene.client.record(CONTENT.DATA, 'first'));
    scene.send(...Array.from({ length: 1000 }, () => scene.client.record(CONTENT.DATA, '')));
    scene.expectBroken('first');
  });

  testOpenssl('a flood of key updates ends the connection, whether they want an answer or not', () => {
    for (const request of [0, 1]) {
      const scene = new Scene(settings);
      let updates = 0;
      while (scene.ending === 'open' && updates < 10_000) {
        scene.send(...Array.from({ length: 10 }, () => scene.client.keyUpdate(request)));
        updates += 10;
      }
      expect([scene.ending, scene.violations]).toEqual(['error', 1]);
      expect(updates).toBeLessThan(1500);
    }
  });

  testOpenssl('an alert flood ends the connection', () => {
    const scene = new Scene(settings);
    // user_canceled, the one warning that TLS 1.3 knows (RFC 8446 section 6.1).
    const cancelled = Buffer.from([1, 90]);
    scene.send(...Array.from({ length: 1000 }, () => scene.client.record(CONTENT.ALERT, cancelled)));
    expect([scene.ending, scene.violations]).toEqual(['error', 1]);
  });

  testOpenssl(
    'what is too large is refused: by its header, before it is there, and by what is sealed',
    () => {
      const claimed = new Scene(settings);
      claimed.send(Buffer.from([CONTENT.DATA, 3, 3, 0x41, 0x01]));
      claimed.expectBroken();
      const sealed = new Scene(settings);
      sealed.send(sealed.client.record(CONTENT.DATA, 'x'.repeat(MAX_CONTENT_BYTES + 1)));
      sealed.expectBroken();
    },
  );

  testOpenssl('content of no type, of an unknown one, and messages out of place are refused', () => {
    const hello = Buffer.from([1, 0, 0, 0]);
    const ticket = Buffer.concat([Buffer.from([4, 0, 0, 15]), Buffer.alloc(15)]);
    const finished = Buffer.concat([Buffer.from([20, 0, 0, 32]), Buffer.alloc(32)]);
    const cases: readonly ((client: RecordClient) => Buffer)[] = [
      (client) => client.sealed(Buffer.alloc(40)),
      (client) => client.record(99, 'x'),
      (client) => client.record(20, Buffer.from([1])),
      (client) => client.record(CONTENT.HANDSHAKE, ''),
      (client) => client.record(CONTENT.HANDSHAKE, hello),
      (client) => client.record(CONTENT.HANDSHAKE, ticket),
      (client) => client.record(CONTENT.HANDSHAKE, finished),
      (client) => client.keyUpdate(2),
      (client) => client.record(CONTENT.ALERT, Buffer.from([1])),
      () => Buffer.from([CONTENT.DATA, 3, 3, 0, 0]),
      () => Buffer.from([CONTENT.DATA, 3, 3, 0, 1, 0]),
      () => Buffer.from([22, 3, 3, 0, 4, 1, 0, 0, 0]),
      () => Buffer.from([0x80, 0x2e, 1, 3, 1, 0, 0, 0]),
    ];
    for (const make of cases) {
      const scene = new Scene(settings);
      scene.send(scene.client.record(CONTENT.DATA, 'good'), make(scene.client), Buffer.from('and more'));
      scene.expectBroken('good');
    }
  });

  testOpenssl('a fatal alert ends the connection, and is no violation', () => {
    const scene = new Scene(settings);
    scene.send(scene.client.record(CONTENT.ALERT, Buffer.from([2, 80])));
    expect([scene.ending, scene.violations]).toEqual(['error', 0]);
  });
});
