import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { Answer } from '../../test/support/answer.ts';
import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { requestHead } from '../../test/support/request-head.ts';
import type { FailureCode } from '../model/failures.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { type EndpointConnectionOwner, H1EndpointConnection } from './h1-client.ts';

const TIMEOUTS = { response: 30_000, responseBody: 60_000, idle: 4000 };
const TICK_MS = 50;

/** Keeps the connection, as a connector does. */
class Owner implements EndpointConnectionOwner {
  readonly events: string[] = [];
  wants = true;

  onIdle(connection: H1EndpointConnection): boolean {
    this.events.push('idle');
    if (this.wants) connection.rest();
    return this.wants;
  }
  onGone(): void {
    this.events.push('gone');
  }
}

let time: FakeTime;
let network: MemoryNetwork;

beforeEach(() => {
  time = new FakeTime();
  network = new MemoryNetwork();
});
afterEach(() => time.restore());

interface Rig {
  readonly endpoint: MemoryPeer;
  readonly session: H1EndpointConnection;
  readonly owner: Owner;
}

function connect(): Rig {
  const endpoint = network.peer('10.0.0.1', 80);
  const owner = new Owner();
  let session!: H1EndpointConnection;
  runTurn(() => {
    session = new H1EndpointConnection(endpoint.connection, owner, TIMEOUTS, time.wheel, turnNowMs());
    endpoint.connection.handler = session;
  });
  return { endpoint, session, owner };
}

function ask({ session }: Rig, method = 'GET', ...lines: string[]): Answer {
  const answer = new Answer();
  runTurn(() => session.sendRequest(requestHead(method, '/', ...lines), answer));
  return answer;
}

function sendBody({ session }: Rig, text: string): void {
  runTurn(() => session.sendBody(Buffer.from(text, 'latin1'), 0, text.length));
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('whether a connection is used again', () => {
  const cases: readonly [name: string, method: string, response: string, fin: boolean, reused: boolean][] = [
    ['with a length', 'GET', OK, false, true],
    ['without a body', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', false, true],
    ['with a length of 0', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', false, true],
    ['not modified', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', false, true],
    ['to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', false, true],
    ['to HEAD, of unknown length', 'HEAD', 'HTTP/1.1 200 OK\r\n\r\n', false, true],
    [
      'in chunks',
      'GET',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      false,
      true,
    ],
    ['with close', 'GET', OK.replace('\r\n', '\r\nConnection: close\r\n'), false, false],
    ['with Close in a list', 'GET', OK.replace('\r\n', '\r\nConnection: x, Close\r\n'), false, false],
    ['of HTTP/1.0', 'GET', OK.replace('1.1', '1.0'), false, false],
    [
      'of HTTP/1.0 with keep-alive',
      'GET',
      OK.replace('1.1', '1.0').replace('\r\n', '\r\nConnection: Keep-Alive\r\n'),
      false,
      true,
    ],
    ['until the connection ends', 'GET', 'HTTP/1.1 200 OK\r\n\r\nok', true, false],
    ['with more behind it', 'GET', `${OK}H`, false, false],
    ['with more behind it than HEAD has', 'HEAD', OK, false, false],
    [
      'without a body, with one',
      'GET',
      'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok',
      false,
      false,
    ],
    [
      'in chunks with more behind',
      'GET',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP',
      false,
      false,
    ],
  ];
  test.each(cases)('%s', (_name, method, response, fin, reused) => {
    const rig = connect();
    const answer = ask(rig, method);
    rig.endpoint.send(response);
    if (fin) rig.endpoint.fin();
    expect(answer.events.at(-1)).toBe('end');
    expect(answer.events).toHaveLength(2);
    expect(rig.owner.events).toEqual([reused ? 'idle' : 'gone']);
    expect(rig.endpoint.standing).toBe(reused ? 'open' : 'closed');
    if (!reused) return;
    // It is: a second exchange on it works.
    const again = ask(rig);
    rig.endpoint.send(OK);
    expect([again.events, again.body, rig.session.reused]).toEqual([['200', 'end'], 'ok', true]);
  });

  test('not when the owner does not want it', () => {
    const rig = connect();
    rig.owner.wants = false;
    const answer = ask(rig);
    rig.endpoint.send(OK);
    expect([answer.events, rig.owner.events, rig.endpoint.standing]).toEqual([
      ['200', 'end'],
      ['idle', 'gone'],
      'closed',
    ]);
  });

  test('not when the answer comes before the request is whole', () => {
    const rig = connect();
    const answer = ask(rig, 'POST', 'Content-Length: 4');
    sendBody(rig, 'bo');
    rig.endpoint.send(OK);
    expect([answer.events, rig.owner.events, rig.endpoint.standing]).toEqual([
      ['200', 'end'],
      ['gone'],
      'closed',
    ]);
    sendBody(rig, 'dy');
    runTurn(() => rig.session.sendEnd(undefined));
    expect(rig.endpoint.received).toEndWith('\r\n\r\nbo');
  });

  test('not when the endpoint has not taken the request yet', () => {
    const rig = connect();
    rig.endpoint.hold(10);
    const answer = ask(rig);
    rig.endpoint.send(OK);
    expect([answer.events, rig.owner.events]).toEqual([['congested', '200', 'end'], ['gone']]);
  });

  test('not when the endpoint says something that nobody asked for', () => {
    const rig = connect();
    ask(rig);
    rig.endpoint.send(OK);
    rig.endpoint.send('HTTP/1.1 408 Request Timeout\r\n\r\n');
    expect([rig.owner.events, rig.endpoint.standing]).toEqual([['idle', 'gone'], 'closed']);
  });

  test.each(['fin', 'reset'] as const)('not when the endpoint closes it (%s)', (end) => {
    const rig = connect();
    ask(rig);
    rig.endpoint.send(OK)[end]();
    expect(rig.owner.events).toEqual(['idle', 'gone']);
    expect(rig.endpoint.standing).not.toBe('open');
  });

  test('a waiter may use it within the very event that frees it', () => {
    const rig = connect();
    const second = new Answer();
    rig.owner.onIdle = (session) => {
      if (second.events.length === 0) session.sendRequest(requestHead('GET', '/second'), second);
      return true;
    };
    const first = ask(rig);
    rig.endpoint.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n');
    expect([first.events, first.trailers]).toEqual([['200', 'end'], ['X-T: 1']]);
    expect(first.bytes[0]).toBeGreaterThan(50);
    rig.endpoint.send(OK);
    expect([second.events, second.body]).toEqual([['200', 'end'], 'ok']);
  });
});

describe('how long an idle connection is kept', () => {
  test.each([
    ['as configured', '', 4000],
    ['a second less than the endpoint says', 'Keep-Alive: timeout=10, max=100\r\n', 9000],
    ['half of a very short time', 'Keep-Alive: timeout=1\r\n', 500],
    ['a minute at most', 'Keep-Alive: timeout=3600\r\n', 60_000],
    ['as configured when the endpoint is not clear', 'Keep-Alive: timeout=soon\r\n', 4000],
  ])('%s', (_name, line, idleMs) => {
    const rig = connect();
    ask(rig);
    rig.endpoint.send(OK.replace('\r\n', `\r\n${line}`));
    time.advance(idleMs - 1);
    expect(rig.endpoint.standing).toBe('open');
    time.advance(TICK_MS + 1);
    expect([rig.endpoint.standing, rig.owner.events]).toEqual(['closed', ['idle', 'gone']]);
    expect(time.clock.pending).toBe(0);
  });
});

describe('interim responses', () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n';

  test('are passed on, however they arrive, and the last one counts', () => {
    const stream = `HTTP/1.1 100 Continue\r\n\r\n${interim}${interim}${OK}`;
    for (const size of [1, 5, 30, 1000]) {
      const rig = connect();
      const answer = ask(rig);
      for (let at = 0; at < stream.length; at += size) rig.endpoint.send(stream.slice(at, at + size));
      expect([answer.events, answer.body, rig.owner.events]).toEqual([
        ['100', '103', '103', '200', 'end'],
        'ok',
        ['idle'],
      ]);
    }
  });

  test('are bounded in number', () => {
    const rig = connect();
    const answer = ask(rig);
    rig.endpoint.send(interim.repeat(16));
    expect(answer.events).toHaveLength(16);
    rig.endpoint.send(interim);
    expect(answer.events.at(-1)).toBe('response_malformed');
    expect(rig.endpoint.standing).toBe('reset');
  });

  test('do not put off the final one', () => {
    const rig = connect();
    const answer = ask(rig);
    for (let count = 0; count < 5; count++) {
      time.advance(5900);
      rig.endpoint.send(interim);
    }
    time.advance(500 + TICK_MS);
    expect(answer.events.at(-1)).toBe('response_timeout');
  });

  test('are not an end: the connection may not close behind them', () => {
    const rig = connect();
    const answer = ask(rig);
    rig.endpoint.send(interim).fin();
    expect(answer.events).toEqual(['103', 'endpoint_closed']);
  });
});

describe('a connection that ends too early', () => {
  const cases: readonly [name: string, response: string, end: 'fin' | 'reset', code: FailureCode][] = [
    ['before the head, in order', '', 'fin', 'endpoint_closed'],
    ['before the head, with a reset', '', 'reset', 'endpoint_reset'],
    ['within the head', 'HTTP/1.1 200 OK\r\nCont', 'fin', 'endpoint_closed'],
    ['within a body with a length', OK.slice(0, -1), 'fin', 'response_truncated'],
    ['within a body with a length, by a reset', OK.slice(0, -1), 'reset', 'response_truncated'],
    [
      'within chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
      'fin',
      'response_truncated',
    ],
    [
      'within the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n',
      'fin',
      'response_truncated',
    ],
    [
      'within a body without a length, by a reset',
      'HTTP/1.1 200 OK\r\n\r\nok',
      'reset',
      'response_truncated',
    ],
  ];
  test.each(cases)('%s', (_name, response, end, code) => {
    const rig = connect();
    const answer = ask(rig);
    if (response !== '') rig.endpoint.send(response);
    rig.endpoint[end]();
    expect(answer.events.at(-1)).toBe(code);
    expect(answer.events).not.toContain('end');
    expect(rig.owner.events).toEqual(['gone']);
    expect(rig.endpoint.standing).toBe('reset');
    expect(time.clock.pending).toBeLessThanOrEqual(1);
  });

  test.each(['fin', 'reset'] as const)('is stale if it was used before and nothing came (%s)', (end) => {
    const rig = connect();
    ask(rig);
    rig.endpoint.send(OK);
    const answer = ask(rig);
    rig.endpoint[end]();
    expect(answer.events).toEqual(['endpoint_stale']);
    const other = connect();
    ask(other);
    other.endpoint.send(OK);
    const begun = ask(other);
    other.endpoint.send('H')[end]();
    expect(begun.events).toEqual([end === 'fin' ? 'endpoint_closed' : 'endpoint_reset']);
  });
});

describe('what is not a response', () => {
  const cases: readonly [response: string, code: FailureCode][] = [
    ['HTTP/2.0 200 OK\r\n\r\n', 'response_malformed'],
    ['ICY 200 OK\r\n\r\n', 'response_malformed'],
    ['HTTP/1.1 200 OK\r\nA b\r\n\r\n', 'response_malformed'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok', 'response_framing'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok', 'response_framing'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok', 'response_transfer_coding'],
    [`HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(201)}\r\n`, 'response_head_too_large'],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`, 'response_head_too_large'],
    [`HTTP/1.1 200 ${'x'.repeat(65_536)}`, 'response_head_too_large'],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}`, 'response_head_too_large'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx', 'response_body_malformed'],
  ];
  test.each(cases)('%#', (response, code) => {
    for (const size of [100_000, 1000, 1]) {
      if (size === 1 && response.length > 2000) continue;
      const rig = connect();
      const answer = ask(rig);
      for (let at = 0; at < response.length && rig.endpoint.standing === 'open'; at += size)
        rig.endpoint.send(response.slice(at, at + size));
      expect(answer.events.at(-1)).toBe(code);
      expect([rig.owner.events, rig.endpoint.standing]).toEqual([['gone'], 'reset']);
    }
  });
});

describe('time', () => {
  test('for the head begins with the end of the request', () => {
    const rig = connect();
    const answer = ask(rig, 'POST', 'Content-Length: 4');
    time.advance(100_000);
    sendBody(rig, 'body');
    time.advance(100_000);
    runTurn(() => rig.session.sendEnd(undefined));
    time.advance(TIMEOUTS.response - 1);
    expect(answer.events).toEqual([]);
    time.advance(TICK_MS + 1);
    expect(answer.events).toEqual(['response_timeout']);
    expect([rig.endpoint.standing, rig.owner.events]).toEqual(['reset', ['gone']]);
  });

  test('for saying 100 begins with the head, and ends when the client sends its body nevertheless', () => {
    const silent = connect();
    const answer = ask(silent, 'POST', 'Content-Length: 4', 'Expect: 100-continue');
    time.advance(TIMEOUTS.response + TICK_MS);
    expect(answer.events).toEqual(['response_timeout']);

    const slow = connect();
    const upload = ask(slow, 'POST', 'Content-Length: 1000', 'Expect: 100-continue');
    for (let count = 0; count < 10; count++) {
      time.advance(10_000);
      sendBody(slow, 'x'.repeat(100));
    }
    expect(upload.events).toEqual([]);
    runTurn(() => slow.session.sendEnd(undefined));
    slow.endpoint.send(OK);
    expect(upload.events).toEqual(['200', 'end']);
  });

  test('for taking the body: an endpoint that does not read is given up', () => {
    const rig = connect();
    const answer = ask(rig, 'POST', 'Content-Length: 100000');
    rig.endpoint.hold();
    sendBody(rig, 'x'.repeat(50_000));
    time.advance(TIMEOUTS.response - 1);
    expect(answer.events).toEqual(['congested']);
    time.advance(TICK_MS + 1);
    expect(answer.events).toEqual(['congested', 'response_timeout']);
  });

  test('for the body is from piece to piece', () => {
    const rig = connect();
    const answer = ask(rig);
    rig.endpoint.send(OK.slice(0, -2));
    time.advance(59_000);
    rig.endpoint.send('o');
    time.advance(59_000);
    expect(answer.events).toEqual(['200']);
    time.advance(1000 + TICK_MS);
    expect(answer.events).toEqual(['200', 'response_body_timeout']);
  });

  test('does not pass while the client does not read, in the head or in the body', () => {
    const rig = connect();
    const answer = ask(rig);
    runTurn(() => rig.session.pauseResponse());
    rig.endpoint.send(OK.slice(0, -1));
    time.advance(100_000);
    expect(answer.events).toEqual([]);
    runTurn(() => rig.session.resumeResponse());
    network.settle();
    runTurn(() => rig.session.pauseResponse());
    time.advance(100_000);
    expect(answer.events).toEqual(['200']);
    runTurn(() => rig.session.resumeResponse());
    time.advance(TIMEOUTS.responseBody + TICK_MS);
    expect(answer.events).toEqual(['200', 'response_body_timeout']);
  });
});

describe('giving up', () => {
  test('abort resets, at any time, and nothing more is heard', () => {
    for (const sent of ['', 'HTTP/1.1 2', OK.slice(0, -1)]) {
      const rig = connect();
      const answer = ask(rig);
      if (sent !== '') rig.endpoint.send(sent);
      const before = answer.events.length;
      runTurn(() => rig.session.abort());
      runTurn(() => rig.session.abort());
      rig.endpoint.send('k').fin();
      time.advance(100_000);
      expect(answer.events).toHaveLength(before);
      expect([rig.endpoint.standing, rig.owner.events]).toEqual(['reset', ['gone']]);
    }
  });

  test('within the event that brings the head', () => {
    const rig = connect();
    const answer = new Answer();
    answer.onHead = () => rig.session.abort();
    runTurn(() => rig.session.sendRequest(requestHead('GET', '/'), answer));
    rig.endpoint.send(OK);
    expect([answer.events, answer.body, rig.owner.events]).toEqual([['200'], '', ['gone']]);
  });

  test('on an endpoint that became unhealthy, unless it has begun to answer', () => {
    const silent = connect();
    const answer = ask(silent);
    runTurn(() => silent.session.failUnanswered('endpoint_unhealthy', ''));
    expect(answer.events).toEqual(['endpoint_unhealthy']);
    const begun = connect();
    const other = ask(begun);
    begun.endpoint.send('HTTP');
    runTurn(() => begun.session.failUnanswered('endpoint_unhealthy', ''));
    begun.endpoint.send(OK.slice(4));
    expect(other.events).toEqual(['200', 'end']);
  });
});

test('bytes are counted for each exchange', () => {
  const rig = connect();
  for (let round = 0; round < 2; round++) {
    const answer = ask(rig, 'POST', 'Content-Length: 4');
    sendBody(rig, 'body');
    runTurn(() => rig.session.sendEnd(undefined));
    rig.endpoint.send(OK);
    expect(answer.bytes).toEqual([OK.length, rig.endpoint.takeReceived().length]);
  }
});

test('a tunnel gets what came behind the head, and everything after', () => {
  const rig = connect();
  const answer = ask(rig, 'GET', 'Connection: upgrade', 'Upgrade: websocket');
  let received = '';
  answer.onHead = () => {
    const end = rig.session.startTunnel();
    received += end.leftover.latin1Slice();
    end.setHandler({
      onData: (bytes) => (received += bytes.latin1Slice()),
      onEnd: () => (received += ' end'),
      onCongested() {},
      onDrain() {},
      onClose() {},
    });
  };
  rig.endpoint.send(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly',
  );
  rig.endpoint.send(' late').fin();
  expect(received).toBe('early late end');
  time.advance(1_000_000);
  expect([answer.events, rig.owner.events, rig.endpoint.standing]).toEqual([['101'], ['gone'], 'open']);
});
