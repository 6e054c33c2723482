const BODY = '400 Bad Request\nThis port speaks TLS, and the request came without: use https://\n';

/** What a client hears that sends a request in the clear to a port of TLS. Then the connection is closed. */
const ANSWER = Buffer.from(
  'HTTP/1.1 400 Bad Request\r\n' +
    'Content-Type: text/plain; charset=utf-8\r\n' +
    `Content-Length: ${BODY.length}\r\n` +
    'Proxy-Status: pointsman; error=tls_protocol_error; details="not-tls"\r\n' +
    'Connection: close\r\n' +
    `\r\n${BODY}`,
  'latin1',
);

/** A method and the beginning of a target, in one segment as they come: nothing else begins so. */
const REQUEST = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) [!-~]/;
/** The longest method above, the blank and one byte of the target. */
const LOOK_BYTES = 9;

/** @returns The answer to bytes that are no TLS; undefined when they are no HTTP/1 either, and nothing can be said that is understood. */
export function plainHttpAnswer(bytes: Buffer): Buffer | undefined {
  return REQUEST.test(bytes.toString('latin1', 0, LOOK_BYTES)) ? ANSWER : undefined;
}
