import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

import { isExhaustion } from './exhaustion.ts';
import { runTurn } from './turn.ts';

export interface HandshakeOptions {
  readonly host: string;
  readonly port: number;
  /** Name sent and, when verified, expected in the certificate. */
  readonly serverName: string;
  readonly verify: boolean;
  /** Certificates to trust, PEM; undefined for those of the runtime. */
  readonly ca: string | undefined;
  readonly alpn: readonly string[];
  /** Bytes that go before the handshake, in the clear: a PROXY header. */
  readonly introduction?: Buffer | undefined;
}

export interface HandshakeOutcome {
  /** `TLSv1.3`; undefined when there was none, and then `error` says why. */
  readonly version: string | undefined;
  readonly alpn: string | undefined;
  readonly error: string | undefined;
  /** Something of ours was used up: the endpoint was not tried. */
  readonly exhausted?: boolean;
}

/**
 * Connects, completes a TLS handshake and closes. `done` is called once, and not before this returns. The returned function gives
 * up: then `done` is not called. There is no deadline: the caller has one.
 */
export function tlsHandshake(
  options: HandshakeOptions,
  done: (outcome: HandshakeOutcome) => void,
): () => void {
  let over = false;
  let plain: Socket | undefined;
  let socket: TLSSocket | undefined;
  const finish = (outcome: HandshakeOutcome): void => {
    if (over) return;
    over = true;
    socket?.destroy();
    plain?.destroy();
    runTurn(() => done(outcome));
  };
  const fail = (error: unknown): void =>
    finish({
      version: undefined,
      alpn: undefined,
      error: reasonOf(error),
      exhausted: isExhaustion(codeOf(error)),
    });
  const { host, port, introduction } = options;
  const shakeHands = (from: { readonly socket: Socket } | { readonly host: string; readonly port: number }) =>
    connect({
      ...from,
      // A name only: RFC 6066 section 3 has no addresses in it.
      ...(isIP(options.serverName) === 0 ? { servername: options.serverName } : {}),
      rejectUnauthorized: options.verify,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.alpn.length === 0 ? {} : { ALPNProtocols: [...options.alpn] }),
    });
  const follow = (connected: TLSSocket): void => {
    socket = connected;
    connected.once('secureConnect', () => {
      const chosen = connected.alpnProtocol;
      finish({
        version: connected.getProtocol() ?? 'TLS',
        alpn: typeof chosen === 'string' ? chosen : undefined,
        error: undefined,
      });
    });
    connected.on('error', fail);
    connected.once('close', () => fail(new Error('the endpoint closed the connection')));
  };
  try {
    if (introduction === undefined) follow(shakeHands({ host, port }));
    else {
      const introduced = connectPlainly({ host, port });
      plain = introduced;
      introduced.on('error', fail);
      introduced.once('close', () => fail(new Error('the endpoint closed the connection')));
      introduced.once('connect', () => {
        if (over) return;
        introduced.write(introduction);
        follow(shakeHands({ socket: introduced }));
      });
    }
  } catch (error) {
    queueMicrotask(() => fail(error));
  }
  return () => {
    over = true;
    socket?.destroy();
    plain?.destroy();
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  return code === '' || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}
