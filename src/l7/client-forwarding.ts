import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { type FieldBlock, fieldBlock, type FieldLine, fieldLine, type Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Known } from '../model/known-fields.ts';
import type { Protocol, RequestHead } from '../model/message.ts';
import { hashString } from '../util/hash.ts';
import { canonicalIp, forwardedNode } from '../util/ip.ts';
import type { TlsInfo } from '../net/tls/tls-info.ts';
import { NetworkSet } from '../util/network-set.ts';
import { clientHop, type Hop, parseForwarded, parseForwardedFor } from './client-address.ts';
import { addLines, clientCertificateLines, isClientCertificate } from './client-certificate.ts';
import { isAlias, isXForwarded } from './client-claims.ts';
import { hostOf } from './route-values.ts';

/*
 * Use: one `ForwardingPolicy` a listener; `policy.forPeer(peer, secure)` once for each client connection; then, for each
 * request, after hop-by-hop fields are gone and before it is routed, `client.apply(request)`, and read `client.ip`.
 */

/** Ready lines that are kept, one block for each client and host. */
const MAX_BLOCKS = 4096;
/** Peers that are remembered. */
const MAX_PEERS = 4096;
/** `received-protocol` of Via: the name is left out where it is HTTP (RFC 9110 section 7.6.3). */
const VIA_VERSIONS: readonly (readonly [protocol: Protocol, version: string])[] = [
  ['HTTP/1.0', '1.0'],
  ['HTTP/1.1', '1.1'],
  ['HTTP/2', '2'],
  ['HTTP/3', '3'],
];
const NO_LINES: readonly FieldLine[] = [];

/** Our element of Forwarded (RFC 7239 section 4). */
function forwardedElement(peer: string, secure: boolean, authority: string): string {
  const host = authority === '' ? '' : `;host=${/[:[]/.test(authority) ? `"${authority}"` : authority}`;
  return `for=${forwardedNode(peer)}${host};proto=${secure ? 'https' : 'http'}`;
}

/** What endpoints of one listener are told of the client, and whom it believes about that. Immutable. */
export class ForwardingPolicy {
  readonly trusted: NetworkSet;
  readonly xForwarded: boolean;
  readonly forwarded: boolean;
  /** Clients are asked for certificates here, so that nobody else has anything to say about them. */
  readonly asksClients: boolean;
  /** Endpoints are told the client's certificate. */
  readonly clientCertificate: boolean;
  /** By the protocol of the request. Empty when Via is switched off. */
  readonly via: Readonly<Partial<Record<Protocol, FieldLine>>>;
  /** What our Via looks like in a request that comes back; empty when Via is switched off. */
  readonly mark: string;
  readonly #protos: readonly [http: FieldLine, https: FieldLine];
  #lastHost: FieldLine = fieldLine('X-Forwarded-Host', '');
  readonly #blocks = new Map<string, FieldBlock>();
  /** Peers without TLS of ours, by address: clients come back, and all their connections are told the same. */
  readonly #peers: readonly [http: Map<string, ClientForwarding>, https: Map<string, ClientForwarding>] = [
    new Map(),
    new Map(),
  ];

  /**
   * @param instance Tells this Pointsman from all others, and is the same in all its workers and after a restart: a
   * request that comes back here is a loop, one that came through another of the same pseudonym is not.
   */
  constructor(listener: HttpListenerConfig, instance: string) {
    const { xForwarded, forwarded, via } = listener.forwarding;
    this.trusted = new NetworkSet(listener.trustedProxies);
    this.xForwarded = xForwarded;
    this.forwarded = forwarded;
    this.asksClients = listener.tls?.clientCertificate !== undefined;
    this.clientCertificate = listener.tls?.clientCertificate?.forward === true;
    const id = hashString(`${instance}\n${listener.name}`).toString(16).padStart(8, '0');
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

  /**
   * For the requests of one client connection; without TLS, of all connections of that peer.
   * @param peerAddress As the socket tells it.
   * @param tls What was agreed on with it, when that is known.
   */
  forPeer(peerAddress: string, secure: boolean, tls?: TlsInfo): ClientForwarding {
    const peers = this.#peers[secure ? 1 : 0];
    const known = tls === undefined ? peers.get(peerAddress) : undefined;
    if (known !== undefined) return known;
    const made = new ClientForwarding(this, canonicalIp(peerAddress) ?? peerAddress, secure, tls);
    if (tls !== undefined) return made;
    if (peers.size >= MAX_PEERS) peers.clear();
    peers.set(peerAddress, made);
    return made;
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

/** Joins the lines of a list field into one value (RFC 9110 section 5.3). */
function joined(values: readonly string[]): string | undefined {
  const filled = values.filter((value) => value !== '');
  return filled.length === 0 ? undefined : filled.join(', ');
}

function sameAddresses(left: readonly Hop[], right: readonly Hop[]): boolean {
  return left.length === right.length && left.every((hop, index) => hop.address === right[index]!.address);
}

/**
 * The requests of one client: drops what the peer may not claim, adds who it is. The lines are made once for a host and used
 * again, so that the next request costs next to nothing. Keeps nothing of a request but `ip`, which is to be read at once.
 */
export class ClientForwarding {
  /** Address of the client of the latest request: the peer, or what trusted proxies say. */
  ip: string;
  readonly #policy: ForwardingPolicy;
  readonly #peer: string;
  readonly #secure: boolean;
  readonly #trusted: boolean;
  readonly #tls: TlsInfo | undefined;
  readonly #certificate: readonly FieldLine[];
  /** A host that the certificate of this connection is for. */
  #covered = '';
  /** Ready lines for requests to `#authority` by `#protocol`, when no proxy says more. */
  #block: FieldBlock | undefined = undefined;
  #authority = '';
  #protocol: Protocol | undefined = undefined;

  constructor(policy: ForwardingPolicy, peer: string, secure: boolean, tls: TlsInfo | undefined) {
    this.#policy = policy;
    this.#tls = tls;
    this.#certificate =
      tls?.peer === undefined || !policy.clientCertificate ? NO_LINES : clientCertificateLines(tls.peer);
    this.#peer = peer;
    this.#secure = secure;
    this.#trusted = policy.trusted.contains(peer);
    this.ip = peer;
  }

  /** Rewrites the forwarding fields of a request. Returns a failure when it went round in a circle, or came to the wrong place. */
  apply(request: RequestHead, protocol: Protocol): FailureCode | undefined {
    const { fields } = request;
    if (this.#tls !== undefined && request.authority !== this.#covered) {
      // RFC 9110 section 15.5.20: what was asked of clients in the handshake may not be what this host asks of them.
      if (request.authority !== '' && !this.#tls.covers(hostOf(request.authority))) return 'misdirected';
      this.#covered = request.authority;
    }
    let claims = false;
    for (let line = 0; line < fields.count; line++) {
      switch (fields.ids[line]!) {
        case Known.Other:
          this.#applyOther(fields, line);
          break;
        case Known.Proxy:
          // Would become HTTP_PROXY in a CGI (CVE-2016-5385).
          fields.drop(line);
          break;
        case Known.XForwardedFor:
        case Known.Forwarded:
        case Known.XForwardedProto:
        case Known.XForwardedHost:
        case Known.XForwardedPort:
        case Known.XForwardedServer:
        case Known.XRealIp:
          if (this.#trusted) claims = true;
          else fields.drop(line);
          break;
        case Known.Via:
          if (this.#isOwnVia(fields, line)) return 'loop_detected';
          break;
        default:
          break;
      }
    }
    if (this.#certificate.length > 0) addLines(fields, this.#certificate);
    if (claims) {
      this.#applyClaims(request, protocol);
      return undefined;
    }
    this.ip = this.#peer;
    const { authority } = request;
    if (authority !== this.#authority || protocol !== this.#protocol) {
      this.#authority = authority;
      this.#protocol = protocol;
      this.#block = this.#policy.blockFor(this.#peer, this.#secure, authority, protocol);
    }
    fields.block = this.#block;
    return undefined;
  }

  #applyOther(fields: Fields, line: number): void {
    const start = fields.at[line * 4]!;
    const end = fields.at[line * 4 + 1]!;
    const { bytes } = fields;
    if (
      (!this.#trusted && isXForwarded(bytes, start, end)) ||
      isAlias(bytes, start, end) ||
      ((!this.#trusted || this.#policy.asksClients) && isClientCertificate(bytes, start, end))
    )
      fields.drop(line);
  }

  #isOwnVia(fields: Fields, line: number): boolean {
    const { mark } = this.#policy;
    return mark !== '' && !fields.isDropped(line) && fields.value(line).includes(mark);
  }

  /** A trusted proxy says where the request came from: believes it and adds the proxy itself as the next hop. */
  #applyClaims(request: RequestHead, protocol: Protocol): void {
    const { fields } = request;
    const policy = this.#policy;
    const forwardedFor = joined(valuesOf(fields, Known.XForwardedFor));
    const forwarded = joined(valuesOf(fields, Known.Forwarded));
    const xHops = forwardedFor === undefined ? undefined : parseForwardedFor(forwardedFor);
    const hops = forwarded === undefined ? undefined : parseForwarded(forwarded);
    const chain = xHops ?? hops ?? [];
    const client = clientHop(chain, policy.trusted);
    this.ip = client < 0 ? this.#peer : chain[client]!.address!;
    if (policy.xForwarded) {
      dropAll(fields, Known.XForwardedFor);
      const before = forwardedFor ?? chain.map((hop) => hop.address ?? 'unknown').join(', ');
      fields.add(fieldLine('X-Forwarded-For', before === '' ? this.#peer : `${before}, ${this.#peer}`));
      this.#addOrigin(request, chain[client]);
    }
    if (policy.forwarded) {
      dropAll(fields, Known.Forwarded);
      // Many proxies append to X-Forwarded-For alone and let a client's own Forwarded pass: it stays only if both agree.
      const believed = hops !== undefined && sameAddresses(hops, chain);
      const before = believed ? forwarded! : chain.map((hop) => `for=${nodeOf(hop)}`).join(', ');
      const own = forwardedElement(this.#peer, this.#secure, request.authority);
      fields.add(fieldLine('Forwarded', before === '' ? own : `${before}, ${own}`));
    }
    const via = policy.via[protocol];
    if (via !== undefined) fields.add(via);
  }

  /** Scheme and host that the client used, where the proxy has not said so in the fields themselves. */
  #addOrigin(request: RequestHead, client: Hop | undefined): void {
    const { fields } = request;
    const policy = this.#policy;
    if (valuesOf(fields, Known.XForwardedProto).length === 0) {
      const proto = client?.proto;
      fields.add(
        proto === undefined ? policy.protoLine(this.#secure) : fieldLine('X-Forwarded-Proto', proto),
      );
    }
    const host = client?.host ?? request.authority;
    if (host !== '' && valuesOf(fields, Known.XForwardedHost).length === 0) fields.add(policy.hostLine(host));
  }
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
