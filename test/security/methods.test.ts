import { describeRequests, either, head, refused, type RequestCase, SMUGGLED } from './request-suite.ts';

/** A reverse proxy opens no tunnels and echoes no requests (RFC 9110 sections 9.3.6 and 9.3.8). */
const cases: RequestCase[] = [
  {
    name: 'refuses CONNECT',
    send: 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n',
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses CONNECT with early bytes',
    send: `CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n${SMUGGLED}`,
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses CONNECT with a path',
    send: head('CONNECT'),
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses CONNECT with an absolute target',
    send: 'CONNECT http://a.test/attack HTTP/1.1\r\nHost: a.test\r\n\r\n',
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses CONNECT with a body',
    send: `CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses CONNECT in HTTP/1.0',
    send: 'CONNECT a.test:443 HTTP/1.0\r\n\r\n',
    expected: refused(400, 405, 501),
  },
  { name: 'refuses TRACE', send: head('TRACE'), expected: refused(400, 405, 501) },
  {
    name: 'refuses TRACE with secrets',
    send: head('TRACE', 'Cookie: session=1', 'Authorization: Basic eDp5'),
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses TRACE with a body',
    send: `${head('TRACE', 'Content-Length: 5')}hello`,
    expected: refused(400, 405, 501),
  },
  {
    name: 'does not take connect in lower case for a tunnel',
    send: 'connect a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n',
    expected: refused(400, 405, 501),
  },
  {
    name: 'refuses the preface of HTTP/2',
    send: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    expected: refused(400, 405, 505),
  },
  {
    name: 'does not take PRI in HTTP/1.1 for a preface',
    send: head('PRI'),
    expected: either([400, 405, 501]),
  },
  {
    name: 'refuses a TLS hello on a plaintext listener',
    send: `\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03${'\x55'.repeat(32)}\x00\x00\x02\x13\x01\x01\x00`,
    expected: refused(400, 408),
  },
  {
    name: 'refuses an SSH hello',
    send: 'SSH-2.0-OpenSSH_9.2\r\n',
    expected: refused(400, 408, 505),
  },
  {
    name: 'refuses a PROXY header on a listener that was not told to take one',
    send: `PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n${head('GET')}`,
    expected: refused(400, 505),
  },
  {
    name: 'refuses a version 2 PROXY header',
    send: `\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02${head('GET')}`,
    expected: refused(400),
  },
  {
    name: 'refuses a line of noise',
    send: `${'\xff\xfe\x00\x80'.repeat(64)}\r\n\r\n`,
    expected: refused(400),
  },
];

describeRequests('methods and other protocols', cases);
