import { fieldLine, type Fields } from '../model/fields.ts';
import { Known } from '../model/known-fields.ts';
import type { Protocol, RequestHead } from '../model/message.ts';
import { forwardedNode } from '../util/ip.ts';
import type { NetworkSet } from '../util/network-set.ts';
import { clientHop, type Hop, parseForwarded, parseForwardedFor } from './client-address.ts';
import { forwardedElement, type ForwardingLines } from './forwarding-lines.ts';

/** A peer that says where its requests came from, and is believed. */
export class TrustedProxy {
  readonly #address: string;
  readonly #secure: boolean;
  readonly #trusted: NetworkSet;
  readonly #lines: ForwardingLines;

  /** @param trusted All that are believed: the client is the last hop that is none of them. */
  constructor(address: string, secure: boolean, trusted: NetworkSet, lines: ForwardingLines) {
    this.#address = address;
    this.#secure = secure;
    this.#trusted = trusted;
    this.#lines = lines;
  }

  /**
   * Keeps what it says in the fields of a request, and adds the proxy itself as the next hop.
   * @returns the address of the client.
   */
  apply(request: RequestHead, protocol: Protocol): string {
    const { fields } = request;
    const address = this.#address;
    const lines = this.#lines;
    const forwardedFor = joined(valuesOf(fields, Known.XForwardedFor));
    const forwarded = joined(valuesOf(fields, Known.Forwarded));
    const xHops = forwardedFor === undefined ? undefined : parseForwardedFor(forwardedFor);
    const hops = forwarded === undefined ? undefined : parseForwarded(forwarded);
    const chain = xHops ?? hops ?? [];
    const client = clientHop(chain, this.#trusted);
    if (lines.xForwarded) {
      dropAll(fields, Known.XForwardedFor);
      const before = forwardedFor ?? chain.map((hop) => hop.address ?? 'unknown').join(', ');
      fields.add(fieldLine('X-Forwarded-For', before === '' ? address : `${before}, ${address}`));
      this.#addOrigin(request, chain[client]);
    }
    if (lines.forwarded) {
      dropAll(fields, Known.Forwarded);
      // Many proxies append to X-Forwarded-For alone and let a client's own Forwarded pass: it stays only if both agree.
      const believed = hops !== undefined && sameAddresses(hops, chain);
      const before = believed ? forwarded! : chain.map((hop) => `for=${nodeOf(hop)}`).join(', ');
      const own = forwardedElement(address, this.#secure, request.authority);
      fields.add(fieldLine('Forwarded', before === '' ? own : `${before}, ${own}`));
    }
    const via = lines.via[protocol];
    if (via !== undefined) fields.add(via);
    return client < 0 ? address : chain[client]!.address!;
  }

  /** Scheme and host that the client used, where the proxy has not said so in the fields themselves. */
  #addOrigin(request: RequestHead, client: Hop | undefined): void {
    const { fields } = request;
    const lines = this.#lines;
    if (valuesOf(fields, Known.XForwardedProto).length === 0) {
      const proto = client?.proto;
      fields.add(proto === undefined ? lines.protoLine(this.#secure) : fieldLine('X-Forwarded-Proto', proto));
    }
    const host = client?.host ?? request.authority;
    if (host !== '' && valuesOf(fields, Known.XForwardedHost).length === 0) fields.add(lines.hostLine(host));
  }
}

/** Joins the lines of a list field into one value (RFC 9110 section 5.3). */
function joined(values: readonly string[]): string | undefined {
  const filled = values.filter((value) => value !== '');
  return filled.length === 0 ? undefined : filled.join(', ');
}

function sameAddresses(left: readonly Hop[], right: readonly Hop[]): boolean {
  return left.length === right.length && left.every((hop, index) => hop.address === right[index]!.address);
}

function nodeOf(hop: Hop): string {
  return hop.address === undefined ? 'unknown' : forwardedNode(hop.address);
}

function valuesOf(fields: Fields, id: number): string[] {
  const values: string[] = [];
  for (let line = 0; line < fields.count; line++) {
    if (fields.ids[line] === id && !fields.isDropped(line)) values.push(fields.value(line));
  }
  return values;
}

function dropAll(fields: Fields, id: number): void {
  for (let line = 0; line < fields.count; line++) if (fields.ids[line] === id) fields.drop(line);
}
