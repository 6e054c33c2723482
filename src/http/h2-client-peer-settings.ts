import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { ConnectionOutput } from './h2-output.ts';
import { applySharedSetting, type SettingError } from './h2-peer-settings.ts';
import { H2Error, Setting } from './h2-protocol.ts';
import { headListBytes } from './h2-request-head.ts';
import type { StreamOutput } from './h2-stream-output.ts';

/** What an endpoint has said of itself in SETTINGS (RFC 9113 section 6.5.2, RFC 8441 section 3). */
export class EndpointSettings {
  /** Streams at a time that it takes. */
  maxStreams = Number.POSITIVE_INFINITY;
  /** It takes extended CONNECT. */
  #connectProtocol = false;
  /** The largest field list that it takes, bytes. */
  #maxListBytes = Number.POSITIVE_INFINITY;

  /**
   * Why the endpoint would not take this request; undefined when it would. Some close the connection on a head that is larger than they have
   * said, and with it what others have under way.
   */
  objection(head: RequestHead): FailureCode | undefined {
    if (head.upgrade !== '' && !this.#connectProtocol) return 'endpoint_upgrade';
    if (this.#maxListBytes === Number.POSITIVE_INFINITY || headListBytes(head) <= this.#maxListBytes)
      return undefined;
    return 'request_head_too_large';
  }

  /** Acts on one setting. What is not known is ignored. */
  apply(
    output: ConnectionOutput,
    streams: Iterable<{ readonly out: StreamOutput }>,
    id: number,
    value: number,
  ): SettingError | undefined {
    switch (id) {
      case Setting.EnablePush:
        if (value === 0) return undefined;
        return { error: H2Error.ProtocolError, reason: 'ENABLE_PUSH by a server' };
      case Setting.MaxConcurrentStreams:
        this.maxStreams = value;
        return undefined;
      case Setting.MaxHeaderListSize:
        this.#maxListBytes = value;
        return undefined;
      case Setting.EnableConnectProtocol:
        if (value > 1 || (value === 0 && this.#connectProtocol))
          return { error: H2Error.ProtocolError, reason: 'ENABLE_CONNECT_PROTOCOL is out of range' };
        this.#connectProtocol = value === 1;
        return undefined;
      default:
        return applySharedSetting(output, streams, id, value);
    }
  }
}
