import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { type FieldBlock, fieldBlock, type FieldLine, fieldLine } from '../model/fields.ts';
import type { Protocol } from '../model/message.ts';
import { forwardedNode } from '../util/ip.ts';

/** Ready lines that are kept, one block for each client and host. */
const MAX_BLOCKS = 4096;
/** `received-protocol` of Via: the name is left out where it is HTTP (RFC 9110 section 7.6.3). */
const VIA_VERSIONS: readonly (readonly [protocol: Protocol, version: string])[] = [
  ['HTTP/1.0', '1.0'],
  ['HTTP/1.1', '1.1'],
  ['HTTP/2', '2'],
  ['HTTP/3', '3'],
];

/** Our element of Forwarded (RFC 7239 section 4). */
export function forwardedElement(peer: string, secure: boolean, authority: string): string {
  const host = authority === '' ? '' : `;host=${/[:[]/.test(authority) ? `"${authority}"` : authority}`;
  return `for=${forwardedNode(peer)}${host};proto=${secure ? 'https' : 'http'}`;
}

/** The lines of one listener that tell endpoints of its clients, made once and used again. */
export class ForwardingLines {
  /** X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are sent. */
  readonly xForwarded: boolean;
  /** Forwarded is sent. */
  readonly forwarded: boolean;
  /** By the protocol of the request. Empty when Via is switched off. */
  readonly via: Readonly<Partial<Record<Protocol, FieldLine>>>;
  /** What our Via looks like in a request that comes back; empty when Via is switched off. */
  readonly mark: string;
  readonly #protos: readonly [http: FieldLine, https: FieldLine];
  #lastHost: FieldLine = fieldLine('X-Forwarded-Host', '');
  readonly #blocks = new Map<string, FieldBlock>();

  /** @param id Tells this listener from all others that have the same pseudonym. */
  constructor({ xForwarded, forwarded, via }: HttpListenerConfig['forwarding'], id: string) {
    this.xForwarded = xForwarded;
    this.forwarded = forwarded;
    this.mark = via === '' ? '' : `${via} (${id})`;
    this.via =
      via === ''
        ? {}
        : Object.fromEntries(
            VIA_VERSIONS.map(([protocol, version]) => [
              protocol,
              fieldLine('Via', `${version} ${this.mark}`),
            ]),
          );
    this.#protos = [fieldLine('X-Forwarded-Proto', 'http'), fieldLine('X-Forwarded-Proto', 'https')];
  }

  protoLine(secure: boolean): FieldLine {
    return this.#protos[secure ? 1 : 0];
  }

  /**
   * The lines for requests of a peer that is not trusted. Kept for a while: clients come back, and open several connections at once.
   */
  blockFor(peer: string, secure: boolean, authority: string, protocol: Protocol): FieldBlock | undefined {
    const key = `${peer} ${authority} ${protocol}${secure}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const lines: FieldLine[] = [];
    if (this.xForwarded) {
      lines.push(fieldLine('X-Forwarded-For', peer), this.protoLine(secure));
      if (authority !== '') lines.push(this.hostLine(authority));
    }
    if (this.forwarded) lines.push(fieldLine('Forwarded', forwardedElement(peer, secure, authority)));
    const via = this.via[protocol];
    if (via !== undefined) lines.push(via);
    if (lines.length === 0) return undefined;
    if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.clear();
    const block = fieldBlock(lines);
    this.#blocks.set(key, block);
    return block;
  }

  /** Most requests of a listener are for one host, so its line is kept. */
  hostLine(authority: string): FieldLine {
    if (this.#lastHost.value !== authority) this.#lastHost = fieldLine('X-Forwarded-Host', authority);
    return this.#lastHost;
  }
}
