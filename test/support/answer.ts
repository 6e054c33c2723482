import type { ResponseConsumer } from '../../src/http/streams.ts';
import type { FailureCode } from '../../src/model/failures.ts';
import type { Fields } from '../../src/model/fields.ts';
import type { ResponseHead } from '../../src/model/message.ts';

/** What comes back for one request, as the data path hears it. */
export class Answer implements ResponseConsumer {
  /** Heads, interim ones too, and how it ended. */
  readonly events: string[] = [];
  body = '';
  lines: string[] = [];
  trailers: string[] | undefined = undefined;
  detail = '';
  bytes: readonly number[] = [];
  onHead: (head: ResponseHead) => void = () => {};

  onInformational(head: ResponseHead): void {
    this.events.push(String(head.status));
  }
  onResponse(head: ResponseHead): void {
    this.events.push(String(head.status));
    this.lines = head.fields.written();
    this.onHead(head);
  }
  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.body += bytes.latin1Slice(start, end);
  }
  onResponseEnd(trailers: Fields | undefined, bytesReceived: number, bytesSent: number): void {
    this.events.push('end');
    this.trailers = trailers?.written();
    this.bytes = [bytesReceived, bytesSent];
  }
  onAttemptFailed(code: FailureCode, detail: string): void {
    this.events.push(code);
    this.detail = detail;
  }
  onEndpointCongested(): void {
    this.events.push('congested');
  }
  onEndpointDrain(): void {
    this.events.push('drain');
  }
}
