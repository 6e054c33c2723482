import type { HttpListenerConfig } from '../config/schema/listener.ts';
import type { FieldBlock, FieldLine, Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Known } from '../model/known-fields.ts';
import type { Protocol, RequestHead } from '../model/message.ts';
import type { TlsInfo } from '../net/tls/tls-info.ts';
import { hashString } from '../util/hash.ts';
import { canonicalIp } from '../util/ip.ts';
import { NetworkSet } from '../util/network-set.ts';
import { addLines, clientCertificateLines, isClientCertificate } from './client-certificate.ts';
import { isAlias, isXForwarded } from './client-claims.ts';
import { ForwardingLines } from './forwarding-lines.ts';
import { hostOf } from './route-values.ts';
import { TrustedProxy } from './trusted-proxy.ts';

/*
 * Use: one `ForwardingPolicy` a listener; `policy.forPeer(peer, secure)` once for each client connection; then, for each
 * request, after hop-by-hop fields are gone and before it is routed, `client.apply(request)`, and read `client.ip`.
 */

/** Peers that are remembered. */
const MAX_PEERS = 4096;
const NO_LINES: readonly FieldLine[] = [];

/** What endpoints of one listener are told of the client, and whom it believes about that. Immutable. */
export class ForwardingPolicy {
  readonly trusted: NetworkSet;
  /** Clients are asked for certificates here, so that nobody else has anything to say about them. */
  readonly asksClients: boolean;
  /** Endpoints are told the client's certificate. */
  readonly clientCertificate: boolean;
  readonly lines: ForwardingLines;
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
    this.trusted = new NetworkSet(listener.trustedProxies);
    this.asksClients = listener.tls?.clientCertificate !== undefined;
    this.clientCertificate = listener.tls?.clientCertificate?.forward === true;
    const id = hashString(`${instance}\n${listener.name}`).toString(16).padStart(8, '0');
    this.lines = new ForwardingLines(listener.forwarding, id);
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
  /** There when the peer is trusted. */
  readonly #proxy: TrustedProxy | undefined;
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
    this.#proxy = this.#trusted ? new TrustedProxy(peer, secure, policy.trusted, policy.lines) : undefined;
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
      this.ip = this.#proxy!.apply(request, protocol);
      return undefined;
    }
    this.ip = this.#peer;
    const { authority } = request;
    if (authority !== this.#authority || protocol !== this.#protocol) {
      this.#authority = authority;
      this.#protocol = protocol;
      this.#block = this.#policy.lines.blockFor(this.#peer, this.#secure, authority, protocol);
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
    const { mark } = this.#policy.lines;
    return mark !== '' && !fields.isDropped(line) && fields.value(line).includes(mark);
  }
}
