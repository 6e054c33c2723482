import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { type FieldLine, fieldLine, fieldName } from '../model/fields.ts';
import type { ResponseHead } from '../model/message.ts';

const ALT_SVC = fieldName('alt-svc');
const HSTS = fieldName('strict-transport-security');

/** Lines that the responses of a listener carry over TLS, and only there (RFC 6797 section 7.1, RFC 7838 section 3). */
export class SecureLines {
  /** Alt-Svc, while HTTP/3 is served. */
  altSvc: FieldLine | undefined = undefined;
  #hsts: FieldLine | undefined;

  constructor(config: HttpListenerConfig) {
    this.#hsts = hstsLine(config);
  }

  configure(config: HttpListenerConfig): void {
    this.#hsts = hstsLine(config);
  }

  /** What the endpoint says itself stands. */
  addTo({ fields }: ResponseHead): void {
    if (this.#hsts !== undefined && fields.indexOf(HSTS) < 0) fields.add(this.#hsts);
    if (this.altSvc !== undefined && fields.indexOf(ALT_SVC) < 0) fields.add(this.altSvc);
  }
}

function hstsLine({ tls }: HttpListenerConfig): FieldLine | undefined {
  if (tls === undefined || tls.hsts === false) return undefined;
  const { maxAge, includeSubDomains, preload } = tls.hsts;
  const more = `${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
  return fieldLine('Strict-Transport-Security', `max-age=${Math.round(maxAge / 1000)}${more}`);
}
