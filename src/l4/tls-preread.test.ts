import { afterEach, describe, expect, test } from 'bun:test';

import { clientHello, helloInRecords, tlsRecord } from '../../test/support/client-hello.ts';
import { CAPTURED_HELLOS } from '../../test/support/captured-hellos.ts';
import { MemoryTcp } from '../../test/support/memory-tcp.ts';

let tcp: MemoryTcp;
afterEach(() => tcp.restore());

const UNRECOGNIZED_NAME = '\x15\x03\x03\0\x02\x02\x70';
const DECODE_ERROR = '\x15\x03\x03\0\x02\x02\x32';
const NOTHING = { inFlight: 0, sessions: 0, activeRequests: 0, queued: 0, busy: 0, connectionsOpen: 0 };
const routes = [
  { name: 'mine', match: { sni: ['a.example', 'www.example.com', 'localhost'] }, pool: 'pool' },
];

function start(listener: Readonly<Record<string, unknown>> = {}): void {
  tcp = new MemoryTcp({ listener: { routes, ...listener } });
}

function failures(code: string): number {
  return tcp.listener.stats.failures().find(([known]) => known === code)?.[1] ?? 0;
}

describe('TLS that is passed on', () => {
  test('nobody is dialled before the name is there; then every byte goes on as it came', () => {
    start();
    const hello = clientHello({ serverName: 'a.example', alpn: ['h2', 'http/1.1'] });
    const early = tlsRecord(Buffer.from('early data'), 23);
    const client = tcp.connect().send(hello.subarray(0, 50));
    expect(tcp.network.pendingDials).toHaveLength(0);
    client.send(Buffer.concat([hello.subarray(50), early]));
    const endpoint = tcp.acceptDial();
    expect(endpoint.received).toBe(Buffer.concat([hello, early]).latin1Slice());
    endpoint.send('answer');
    client.send('more').fin();
    endpoint.fin();
    expect(client.received).toBe('answer');
    expect(endpoint.received.endsWith('more')).toBe(true);
    expect(tcp.held).toEqual(NOTHING);
    expect(tcp.entries).toMatchObject([
      { route: 'mine', serverName: 'a.example', alpn: 'h2,http/1.1', endpoint: 'a', failure: '' },
    ]);
    expect(tcp.listener.stats.routes).toMatchObject([{ name: 'mine', requests: 1 }]);
  });

  for (const [name, base64] of Object.entries(CAPTURED_HELLOS)) {
    if (name.includes('-noservername')) continue;
    test(`${name}, cut in two at every byte`, () => {
      start();
      const hello = Buffer.from(base64, 'base64');
      for (let cut = 1; cut < hello.length; cut += 7) {
        const client = tcp.connect().send(hello.subarray(0, cut)).send(hello.subarray(cut));
        const endpoint = tcp.acceptDial();
        expect(endpoint.received).toBe(hello.latin1Slice());
        client.reset();
      }
      expect(tcp.held).toEqual(NOTHING);
    });
  }

  test('one that comes in many records is passed on in as many', () => {
    start();
    const hello = helloInRecords({ serverName: 'a.example' }, [1, 2, 3, 50]);
    const client = tcp.connect();
    for (const byte of hello) client.send(Buffer.from([byte]));
    expect(tcp.acceptDial().received).toBe(hello.latin1Slice());
  });

  const refused: readonly (readonly [what: string, bytes: Buffer, code: string, answer: string])[] = [
    ['another name', clientHello({ serverName: 'b.example' }), 'hello_no_route', UNRECOGNIZED_NAME],
    ['no name', clientHello(), 'hello_no_route', UNRECOGNIZED_NAME],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'hello_not_tls', ''],
    ['SSL 2.0', Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15]), 'hello_not_tls', ''],
    ['a malformed one', clientHello({ tail: Buffer.from([0]) }), 'hello_malformed', DECODE_ERROR],
    ['one that claims to be large', Buffer.from([22, 3, 1, 0x40, 0]), 'hello_too_large', DECODE_ERROR],
  ];
  for (const [what, bytes, code, answer] of refused) {
    test(`${what}: ${code}`, () => {
      start();
      const client = tcp.connect().send(bytes);
      expect(client.received).toBe(answer);
      expect(client.standing).toBe(answer === '' ? 'reset' : 'fin');
      expect(tcp.network.dials).toHaveLength(0);
      expect(failures(code)).toBe(1);
      expect(tcp.entries).toMatchObject([{ failure: code, endpoint: '', pool: '', attempts: 0 }]);
      client.send('whatever comes now');
      tcp.advance(1050);
      expect(client.standing).toBe(answer === '' ? 'reset' : 'closed');
      expect(tcp.held).toEqual(NOTHING);
      expect(tcp.accepted).toBe(0);
    });
  }

  test('a client that has read why it was refused is let go at once', () => {
    start();
    const client = tcp.connect().send(clientHello()).fin();
    expect(client.standing).toBe('closed');
    expect(tcp.accepted).toBe(0);
  });

  test('a slow one has its time, and no more', () => {
    start({ timeouts: { clientHello: '3s' } });
    const hello = clientHello({ serverName: 'a.example' });
    const [slow, late, silent] = [tcp.connect(), tcp.connect(), tcp.connect()];
    slow.send(hello.subarray(0, 20));
    late.send(hello.subarray(0, 20));
    tcp.advance(2900);
    slow.send(hello.subarray(20));
    tcp.acceptDial();
    tcp.advance(150);
    expect([late.standing, silent.standing, slow.standing]).toEqual(['reset', 'reset', 'open']);
    expect(failures('hello_timeout')).toBe(2);
  });

  test('a client that leaves before its hello is whole costs nothing', () => {
    start({ limits: { perClient: { connections: 1 } } });
    for (let turn = 0; turn < 3; turn++) tcp.connect().send(clientHello().subarray(0, 9)).fin();
    for (let turn = 0; turn < 3; turn++) tcp.connect().send(clientHello().subarray(0, 9)).reset();
    expect(failures('client_closed')).toBe(6);
    expect([tcp.accepted, tcp.held]).toEqual([0, NOTHING]);
  });

  test('the end of the listener ends those who have not said anything', () => {
    start();
    const client = tcp.connect();
    expect(tcp.listener.cut()).toBe(1);
    expect(client.standing).toBe('reset');
    expect([tcp.accepted, tcp.held]).toEqual([0, NOTHING]);
  });
});
