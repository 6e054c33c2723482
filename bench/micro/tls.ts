/**
 * What TLS costs the server's side without the kernel: full and resumed handshakes, and one small request with its response, by our own
 * path and by the bare calls of the library with the same settings. Microseconds; low percentiles, as the machine may be busy.
 *
 * Run: bin/bun run bench/micro/tls.ts
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ConnectionHandler } from '../../src/net/connection.ts';
import { SocketConnection } from '../../src/net/socket-connection.ts';
import { TimerWheel } from '../../src/net/timer-wheel.ts';
import { TlsAcceptance } from '../../src/net/tls/accept-tls.ts';
import { createContext } from '../../src/net/tls/context.ts';
import { type Handle, openSsl } from '../../src/net/tls/openssl.ts';
import { ServerTls } from '../../src/net/tls/server-tls.ts';
import { TICKET_KEY_BYTES, TicketKeys } from '../../src/net/tls/ticket-keys.ts';
import type { Transport, TransportEvents } from '../../src/net/transport.ts';
import { unserved } from '../../src/net/unserved.ts';

const HANDSHAKES = 1500;
const ROUNDS = 300;
const REQUESTS = 100;
const REQUEST = Buffer.alloc(120, 'q');
const RESPONSE = Buffer.alloc(260, 'r');
const PROTOCOLS = {
  minVersion: '1.3',
  maxVersion: '1.3',
  ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  cipherSuites: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
  curves: 'X25519:P-256',
} as const;

const { ssl, crypto } = openSsl();
const clientContext = createContext(
  { ...PROTOCOLS, cipherSuites: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256' },
  false,
);
const directory = mkdtempSync(join(tmpdir(), 'pointsman-bench-'));
const paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
Bun.spawnSync(
  `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${paths.key} -out ${paths.cert}`.split(
    ' ',
  ),
);
const tls = new ServerTls({
  ...PROTOCOLS,
  name: 'bench',
  certificates: [
    {
      file: paths.cert,
      cert: readFileSync(paths.cert, 'utf8'),
      key: readFileSync(paths.key, 'utf8'),
      passphrase: '',
      names: undefined,
      staple: undefined,
    },
  ],
  defaultName: undefined,
  strict: false,
  alpn: ['h2', 'http/1.1'],
  clientCertificate: undefined,
  sessionLifetimeMs: 3_600_000,
  ticketKeys: new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES, 1)]),
  challenges: undefined,
});
rmSync(directory, { recursive: true });

const wire = Buffer.allocUnsafeSlow(64 * 1024);
const plain = Buffer.allocUnsafeSlow(64 * 1024);

/** The client's side: the bare library over BIOs of its own. */
class Client {
  readonly #ssl: Handle;
  readonly #input = crypto.BIO_new(crypto.BIO_s_mem())!;
  readonly #output = crypto.BIO_new(crypto.BIO_s_mem())!;

  constructor(session: Handle | undefined) {
    this.#ssl = ssl.SSL_new(clientContext)!;
    ssl.SSL_set_bio(this.#ssl, this.#input, this.#output);
    ssl.SSL_set_connect_state(this.#ssl);
    if (session !== undefined) ssl.SSL_set_session(this.#ssl, session);
  }

  /** Bytes that it wants to send; a copy. */
  #sent(): Buffer {
    const length = crypto.BIO_read(this.#output, wire, wire.length);
    return Buffer.from(wire.subarray(0, Math.max(0, length)));
  }

  hears(bytes: Buffer): void {
    if (bytes.length > 0) crypto.BIO_write(this.#input, bytes, bytes.length);
  }

  shakeHands(): Buffer {
    ssl.SSL_do_handshake(this.#ssl);
    return this.#sent();
  }

  read(): number {
    return ssl.SSL_read(this.#ssl, plain, plain.length);
  }

  sealed(bytes: Buffer): Buffer {
    ssl.SSL_write(this.#ssl, bytes, bytes.length);
    return this.#sent();
  }

  session(): Handle {
    return ssl.SSL_get1_session(this.#ssl)!;
  }

  free(): void {
    ssl.SSL_set_shutdown(this.#ssl, 3);
    ssl.SSL_free(this.#ssl);
  }
}

/** A server to talk to, in memory. */
interface Server {
  /** Takes what the client sent. Returns what it says. */
  take(bytes: Buffer): Buffer;
  /** Takes a request and answers it. */
  answer(request: Buffer): Buffer;
  close(): void;
}

class Ours implements Server, Transport, ConnectionHandler {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 40_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 443;
  #events: TransportEvents;
  #said = 0;
  readonly #connection: SocketConnection;
  static readonly #wheel = new TimerWheel();

  constructor() {
    this.#connection = new SocketConnection(this, unserved);
    this.#events = this.#connection;
    this.#connection.handler = new TlsAcceptance(this.#connection, tls, Ours.#wheel, 10_000, {
      onSecure: () => this,
      onInsecure: ({ detail }) => {
        throw new Error(detail);
      },
      onViolation: () => {},
    });
  }

  take(bytes: Buffer): Buffer {
    this.#said = 0;
    this.#events.onBytes(bytes);
    return wire.subarray(0, this.#said);
  }

  answer(request: Buffer): Buffer {
    return this.take(request);
  }

  onData(): void {
    this.#connection.write(RESPONSE, 0, RESPONSE.length);
  }

  write(bytes: Buffer, start: number, end: number): number {
    this.#said += bytes.copy(wire, this.#said, start, end);
    return end - start;
  }

  silent(): boolean {
    return true;
  }

  tellTo(events: TransportEvents): void {
    this.#events = events;
  }

  close(): void {
    this.#events.onGone('closed');
  }

  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}
  onClose(): void {}
  wantRoom(): void {}
  read(): void {}
  keepAlive(): void {}
  shutdown(): void {}
  reset(): void {}
}

class Bare implements Server {
  readonly #ssl = ssl.SSL_new(tls.contextFor('')!.handle)!;
  readonly #input: Handle;
  readonly #output: Handle;

  constructor() {
    const { input, output } = openSsl();
    this.#input = input;
    this.#output = output;
    crypto.BIO_up_ref(input);
    crypto.BIO_up_ref(output);
    ssl.SSL_set_bio(this.#ssl, input, output);
    ssl.SSL_set_accept_state(this.#ssl);
  }

  #said(): Buffer {
    const length = crypto.BIO_read(this.#output, wire, wire.length);
    return wire.subarray(0, Math.max(0, length));
  }

  take(bytes: Buffer): Buffer {
    crypto.BIO_write(this.#input, bytes, bytes.length);
    ssl.SSL_do_handshake(this.#ssl);
    return this.#said();
  }

  answer(request: Buffer): Buffer {
    crypto.BIO_write(this.#input, request, request.length);
    ssl.SSL_read(this.#ssl, plain, plain.length);
    ssl.SSL_write(this.#ssl, RESPONSE, RESPONSE.length);
    return this.#said();
  }

  close(): void {
    ssl.SSL_set_shutdown(this.#ssl, 3);
    ssl.SSL_free(this.#ssl);
  }
}

/** One handshake. Returns the nanoseconds that the server's side took. */
function handshake(make: () => Server, client: Client): { readonly server: Server; readonly ns: number } {
  const hello = client.shakeHands();
  let begunNs = Bun.nanoseconds();
  const server = make();
  const flight = server.take(hello);
  let ns = Bun.nanoseconds() - begunNs;
  client.hears(flight);
  const finished = client.shakeHands();
  begunNs = Bun.nanoseconds();
  const tickets = server.take(finished);
  ns += Bun.nanoseconds() - begunNs;
  client.hears(tickets);
  client.read();
  return { server, ns };
}

function closed({ server, ns }: { readonly server: Server; readonly ns: number }): number {
  const begunNs = Bun.nanoseconds();
  server.close();
  return ns + Bun.nanoseconds() - begunNs;
}

const makers: Readonly<Record<string, () => Server>> = {
  ours: () => new Ours(),
  bare: () => new Bare(),
};

function report(what: string, samples: ReadonlyMap<string, number[]>): void {
  const texts = [...samples].map(([name, values]) => {
    values.sort((one, other) => one - other);
    const at = (share: number): string => (values[Math.floor(values.length * share)]! / 1000).toFixed(2);
    return `${name} 5%: ${at(0.05)} 25%: ${at(0.25)}`;
  });
  process.stdout.write(`${what.padEnd(18)} ${texts.join('   ')}\n`);
}

function collect(count: number, sample: (make: () => Server) => number): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  const order = Object.entries(makers);
  for (let index = 0; index < count; index++) {
    // Who comes second finds the caches warm.
    order.reverse();
    for (const [name, make] of order) {
      const known = samples.get(name) ?? [];
      known.push(sample(make));
      samples.set(name, known);
    }
  }
  return samples;
}

const full = (make: () => Server): number => {
  const client = new Client(undefined);
  const ns = closed(handshake(make, client));
  client.free();
  return ns;
};
collect(HANDSHAKES, full);
report('full handshake', collect(HANDSHAKES, full));

const first = new Client(undefined);
const begun = handshake(makers['ours']!, first);
first.hears(begun.server.answer(first.sealed(REQUEST)));
first.read();
const session = first.session();
const resumed = (make: () => Server): number => {
  const client = new Client(session);
  const ns = closed(handshake(make, client));
  client.free();
  return ns;
};
report('resumed handshake', collect(HANDSHAKES, resumed));

const open = (make: () => Server): (() => number) => {
  const client = new Client(undefined);
  const { server } = handshake(make, client);
  return () => {
    const requests = Array.from({ length: REQUESTS }, () => client.sealed(REQUEST));
    const begunNs = Bun.nanoseconds();
    for (const request of requests) server.answer(request);
    return (Bun.nanoseconds() - begunNs) / REQUESTS;
  };
};
const talks = new Map([makers['ours']!, makers['bare']!].map((make) => [make, open(make)]));
report(
  'request, response',
  collect(ROUNDS * 3, (make) => talks.get(make)!()),
);
process.exit(0);
