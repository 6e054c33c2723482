import { expect, test } from 'bun:test';

import { plainHttpAnswer } from './plain-http-answer.ts';

test.each(['GET / HTTP/1.1\r\n', 'OPTIONS * HTTP/1.1\r\n', 'CONNECT a:443 HTTP/1.1\r\n', 'POST /x'])(
  '%p is answered by 400 and a close',
  (bytes) => {
    const answer = plainHttpAnswer(Buffer.from(bytes))!.toString();
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toStartWith('HTTP/1.1 400 Bad Request\r\n');
    expect(head).toContain(`\r\nContent-Length: ${body.length}\r\n`);
    expect(head).toEndWith('\r\nConnection: close');
    expect(body).toContain('TLS');
  },
);

test.each([
  '',
  'G',
  'GET',
  'GET ',
  'get / ',
  'PRI * HTTP/2.0\r\n',
  'SSH-2.0-x\r\n',
  'GET\r\n',
  '\u0016\u0002GET /',
  'HELO a',
])('%p is not', (bytes) => {
  expect(plainHttpAnswer(Buffer.from(bytes))).toBeUndefined();
});
