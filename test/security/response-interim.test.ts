import { expect } from 'bun:test';

import { plainAnswer } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import {
  describeResponses,
  passed,
  passedOrReplaced,
  replaced,
  type ResponseCase,
} from './response-suite.ts';

const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';
const UPGRADED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

function upgradeTo(...protocols: string[]): string {
  const lines = protocols.map((protocol) => `Upgrade: ${protocol}\r\n`).join('');
  return `GET /evil HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n${lines}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
}

const cases: ResponseCase[] = [
  {
    name: 'passes 103 before the answer',
    answer: HINTS + plainAnswer('ok'),
    expected: passed((answer, interim) => {
      expect(answer.body.toString()).toBe('ok');
      expect(interim.map(({ status }) => status)).toEqual([103]);
      expect(interim[0] === undefined ? '' : valueOf(interim[0], 'link')).toBe('</a.css>; rel=preload');
    }),
    reusable: true,
  },
  {
    name: 'passes several 103',
    answer: [HINTS, HINTS, plainAnswer('ok')],
    expected: passed((_, interim) => expect(interim.length).toBe(2)),
    reusable: true,
  },
  {
    name: 'passes or drops 102 and other interim answers',
    answer: `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n${plainAnswer('ok')}`,
    expected: passed((answer) => expect(answer.body.toString()).toBe('ok')),
    reusable: true,
  },
  {
    name: 'does not take a 100 that nobody asked for as the answer',
    answer: `HTTP/1.1 100 Continue\r\n\r\n${plainAnswer('ok')}`,
    expected: passed((answer) => expect(answer.body.toString()).toBe('ok')),
    reusable: true,
  },
  {
    name: 'sends an HTTP/1.0 client no interim answer',
    request: 'GET /evil HTTP/1.0\r\nHost: a.test\r\n\r\n',
    answer: HINTS + plainAnswer('ok'),
    expected: passed((answer, interim) => {
      expect(answer.body.toString()).toBe('ok');
      expect(interim.length).toBe(0);
    }),
    reusable: true,
  },
  {
    name: 'bounds a flood of interim answers',
    answer: `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20_000)}${plainAnswer('ok')}`,
    expected: passedOrReplaced((answer, interim) => {
      expect(answer.status).toBe(200);
      expect(interim.length).toBeLessThanOrEqual(100);
    }),
    reusable: true,
  },
  {
    name: 'replaces interim answers that no final one follows',
    answer: HINTS,
    ending: 'fin',
    expected: replaced(),
  },
  {
    name: 'times out interim answers that no final one follows',
    answer: [HINTS, HINTS],
    expected: replaced(502, 504),
  },
  {
    name: 'replaces or strips an interim answer that claims a body',
    answer: `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n${plainAnswer('hello')}`,
    expected: passedOrReplaced((answer) => expect(answer.body.toString()).toBe('hello')),
    reusable: true,
  },
  {
    name: 'replaces a malformed interim answer',
    answer: `HTTP/1.1 103 Early Hints\r\nbad line\r\n\r\n${plainAnswer('ok')}`,
    expected: replaced(),
  },
  { name: 'replaces a 101 that nobody asked for', answer: UPGRADED, expected: replaced() },
  {
    name: 'replaces a 101 without Upgrade',
    request: upgradeTo('websocket'),
    answer: 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    expected: replaced(),
  },
  {
    name: 'replaces a 101 to another protocol',
    request: upgradeTo('websocket'),
    answer: UPGRADED.replace('websocket', 'h2c'),
    expected: replaced(),
  },
  {
    name: 'replaces a 101 to several protocols',
    request: upgradeTo('websocket'),
    answer: UPGRADED.replace('websocket', 'h2c, websocket'),
    expected: replaced(),
  },
  {
    name: 'replaces a 101 to a request that named Upgrade without Connection',
    request: 'GET /evil HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n',
    answer: UPGRADED,
    expected: replaced(),
  },
  {
    name: 'replaces a 101 to a POST with a body',
    request: 'POST /evil HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello',
    answer: UPGRADED,
    expected: replaced(),
  },
  {
    name: 'replaces a 101 in HTTP/1.0',
    request: upgradeTo('websocket'),
    answer: UPGRADED.replace('HTTP/1.1', 'HTTP/1.0'),
    expected: passedOrReplaced((answer) => expect(answer.status).toBe(101)),
    reusable: true,
  },
];

describeResponses('interim responses and 101', cases);
