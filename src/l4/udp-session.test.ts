import { afterEach, describe, expect, test } from 'bun:test';

import { MemoryUdp } from '../../test/support/memory-udp.ts';
import { runTurn } from '../net/turn.ts';

let udp: MemoryUdp;
afterEach(() => udp.restore());

function started(options: ConstructorParameters<typeof MemoryUdp>[0] = {}): MemoryUdp {
  udp = new MemoryUdp(options);
  return udp;
}

const EACH = { session: { requests: 1, responses: 1 } };
const NOTHING = {
  inFlight: 0,
  sessions: 0,
  activeRequests: 0,
  busy: 0,
  connectionsOpen: 0,
  ways: 0,
  sockets: 0,
};

describe('time', () => {
  test('a session ends after so much silence, and each datagram begins it anew', () => {
    started({ listener: { timeouts: { idle: '10s' } } });
    udp.client(1, 'a');
    udp.advance(9000);
    expect(udp.listener.busy).toBe(1);
    udp.client(1, 'b');
    udp.advance(9000);
    udp.answer(0, 'c');
    udp.advance(9000);
    expect(udp.listener.busy).toBe(1);
    udp.advance(1100);
    expect(udp.held).toEqual(NOTHING);
    expect(udp.log).toEqual([['', 'a', 1]]);
    expect(udp.entries[0]).toMatchObject({ requestBytes: 2, responseBytes: 1, protocol: 'UDP' });
  });

  test('other idle times hold from the next datagram on', () => {
    started({ listener: { timeouts: { idle: '10s' } } });
    udp.client(1, 'a');
    udp.configure({ timeouts: { idle: '1s' } });
    udp.client(1, 'b');
    udp.advance(1100);
    expect(udp.held).toEqual(NOTHING);
  });

  test('on the way out silence is shorter, and nobody else comes in', () => {
    started();
    udp.client(1, 'a');
    udp.listener.drain();
    udp.client(2, 'x');
    expect(udp.failed('shutting_down')).toBe(1);
    udp.advance(900);
    udp.client(1, 'b');
    udp.advance(900);
    expect(udp.listener.busy).toBe(1);
    udp.advance(200);
    expect(udp.held).toEqual(NOTHING);
  });
});

describe('an address that is given up', () => {
  test('its sessions end when they are silent for a second, and soon in any case', () => {
    started();
    udp.client(1, 'a');
    udp.client(2, 'a');
    udp.closing = true;
    runTurn(() => udp.listener.retire(udp));
    for (let second = 0; second < 29; second++) {
      udp.advance(900);
      udp.client(1, 'b');
    }
    expect(udp.listener.busy).toBe(1);
    for (let second = 0; second < 6; second++) {
      udp.client(1, 'b');
      udp.advance(900);
    }
    expect(udp.held).toEqual(NOTHING);
    expect(udp.log.map(([failure]) => failure)).toEqual(['', 'shutting_down']);
  });

  test('a listener of another name has it: sessions go on as they were', () => {
    started();
    udp.client(1, 'a');
    udp.listener.leave();
    udp.advance(20_000);
    udp.client(1, 'b');
    expect(udp.sockets[0]!.sent).toEqual(['a', 'b']);
    udp.client(2, 'x');
    expect(udp.failed('shutting_down')).toBe(1);
  });
});

describe('answers that are expected', () => {
  test('end the session with the last of them', () => {
    started({ listener: { session: { responses: 2 } } });
    udp.client(1, 'a');
    udp.answer(0, 'x');
    expect(udp.listener.busy).toBe(1);
    udp.answer(0, 'y');
    expect(udp.held).toEqual(NOTHING);
    expect(udp.answered).toEqual(['1 x', '1 y']);
  });

  test('are counted for every datagram', () => {
    started({ listener: { session: { responses: 1 } } });
    udp.client(1, 'a');
    udp.client(1, 'b');
    udp.answer(0, 'x');
    expect(udp.listener.busy).toBe(1);
    udp.answer(0, 'y');
    expect(udp.held).toEqual(NOTHING);
  });

  test('with several datagrams to one endpoint, end it only when all were sent', () => {
    started({ listener: { session: { requests: 2, responses: 1 } } });
    udp.client(1, 'a');
    udp.answer(0, 'x');
    expect(udp.listener.busy).toBe(1);
    udp.client(1, 'b');
    udp.client(1, 'c');
    expect(udp.sockets.map(({ sent }) => sent.join(''))).toEqual(['ab', 'c']);
    udp.answer(0, 'y');
    expect(udp.listener.busy).toBe(1);
  });

  test('none: the session ends with what is sent', () => {
    started({ listener: { session: { requests: 1, responses: 0 } } });
    udp.client(1, 'a');
    udp.client(1, 'b');
    expect(udp.held).toEqual(NOTHING);
    expect(udp.observed).toEqual([]);
  });

  test('that do not come are a failure of the endpoint; one is enough', () => {
    started({ listener: { ...EACH, timeouts: { idle: '1s' } } });
    udp.client(1, 'a');
    udp.advance(1100);
    expect(udp.observed).toEqual([['a', 'response_missing']]);
    expect(udp.log).toEqual([['response_missing', 'a', 1]]);
    udp.configure({ session: { responses: 2 }, timeouts: { idle: '1s' } });
    udp.client(1, 'a');
    udp.answer(1, 'x');
    udp.advance(1100);
    expect(udp.observed.at(-1)).toEqual(['a', undefined]);
  });

  test('unknown: silence is nobody’s fault', () => {
    started({ listener: { timeouts: { idle: '1s' } } });
    udp.client(1, 'a');
    udp.advance(1100);
    expect(udp.observed).toEqual([]);
  });
});

describe('an endpoint that refuses', () => {
  const ways = (): string[] => udp.sockets.map(({ endpoint, sent }) => `${endpoint} ${sent.join('')}`);

  test('is left, and another has the datagram at once', () => {
    started();
    udp.client(1, '1');
    udp.refuse(0);
    expect(udp.observed).toEqual([['a', 'connect_refused']]);
    expect(ways()).toEqual(['a 1', 'b 1']);
    udp.client(1, '2');
    expect(ways()).toEqual(['a 1', 'b 12']);
    expect(udp.failed('connect_refused')).toBe(0);
    expect(udp.pool.stats.retries).toBe(1);
    udp.answer(1, 'x');
    udp.advance(31_000);
    expect(udp.held).toEqual(NOTHING);
    expect(udp.log).toEqual([['', 'b', 2]]);
  });

  test('long after its first answer: the datagram that it was to answer goes elsewhere', () => {
    started();
    udp.client(1, '1');
    udp.answer(0, 'x');
    udp.client(1, '2');
    udp.refuse(0);
    expect(ways()).toEqual(['a 12', 'b 2']);
  });

  test('as all others do: the datagram is lost, and the next one is tried at each again', () => {
    started();
    udp.client(1, '1');
    udp.refuse(0);
    udp.refuse(1);
    expect(udp.failed('connect_refused')).toBe(1);
    udp.client(1, '2');
    udp.refuse(2);
    expect(ways()).toEqual(['a 1', 'b 1', 'a 2', 'b 2']);
    udp.answer(3, 'x');
    udp.advance(31_000);
    expect(udp.held).toEqual(NOTHING);
  });

  test('one of several datagrams: it is not known which, so none is sent twice', () => {
    started();
    udp.client(1, '1');
    udp.client(1, '2');
    udp.refuse(0);
    expect(ways()).toEqual(['a 12']);
    expect(udp.failed('connect_refused')).toBe(1);
    udp.client(1, '3');
    expect(ways()).toEqual(['a 12', 'b 3']);
  });

  test('one that it has answered: there is nothing to send again', () => {
    started();
    udp.client(1, '1');
    udp.answer(0, 'x');
    udp.refuse(0);
    expect(ways()).toEqual(['a 1']);
  });

  test('a large datagram: it is not kept', () => {
    started();
    udp.client(1, 'x'.repeat(1501));
    udp.refuse(0);
    expect(udp.sockets.length).toBe(1);
    expect(udp.failed('connect_refused')).toBe(1);
  });

  test('without retries: the next datagram goes elsewhere', () => {
    started({ pool: { retry: { attempts: 0 } } });
    udp.client(1, '1');
    udp.refuse(0);
    expect(ways()).toEqual(['a 1']);
    udp.client(1, '2');
    expect(ways()).toEqual(['a 1', 'b 2']);
  });

  test('which is heard of when something else is sent: both go elsewhere at once', () => {
    started();
    udp.client(1, '1');
    udp.sockets[0]!.result = 'refused';
    udp.client(1, '2');
    expect(ways()).toEqual(['a 1', 'b 12']);
  });

  test('the only datagram of a session: another endpoint answers it', () => {
    started({ listener: EACH });
    udp.client(1, '1');
    udp.refuse(0);
    udp.answer(1, 'x');
    expect(udp.answered).toEqual(['1 x']);
    expect(udp.held).toEqual(NOTHING);
    expect(udp.log).toEqual([['', 'b', 2]]);
  });

  test('the only datagram of a session, as all others do: it is over', () => {
    started({ listener: EACH });
    udp.client(1, '1');
    udp.refuse(0);
    udp.refuse(1);
    expect(udp.held).toEqual(NOTHING);
    expect(udp.log).toEqual([['connect_refused', 'b', 2]]);
    expect(udp.failed('connect_refused')).toBe(1);
  });

  test('for ever: a datagram is not tried without end', () => {
    started();
    udp.result = 'refused';
    udp.client(1, '1');
    expect(udp.sockets.length).toBe(3);
    expect(udp.listener.busy).toBe(1);
  });
});

describe('an endpoint that goes', () => {
  test('away from the pool, or is unhealthy: its sessions move with their next datagram', () => {
    started();
    udp.client(1, '1');
    udp.balanced.change('a', { health: 'unhealthy' });
    udp.client(1, '2');
    udp.balanced.change('a', { health: 'healthy' });
    udp.client(1, '3');
    expect(udp.sockets.map(({ endpoint, sent }) => `${endpoint} ${sent.join('')}`)).toEqual(['a 1', 'b 23']);
    expect(udp.inFlight).toEqual([0, 1]);
  });

  test('slowly: a draining one keeps them', () => {
    started();
    udp.client(1, '1');
    udp.balanced.change('a', { admin: 'draining' });
    udp.client(1, '2');
    udp.client(2, '1');
    expect(udp.sockets.map(({ endpoint, sent }) => `${endpoint} ${sent.join('')}`)).toEqual(['a 12', 'b 1']);
    udp.listener.closeSessions(udp.pool.view.all[0]!);
    udp.client(1, '3');
    expect(udp.sockets.at(-1)).toMatchObject({ endpoint: 'b', sent: ['3'] });
    expect(udp.failed('endpoint_drained')).toBe(1);
  });

  test('with no other there is none: the datagram is dropped, nothing is kept', () => {
    started({ pool: { endpoints: [1] } });
    udp.balanced.change('a', { admin: 'disabled' });
    udp.client(1, '1');
    expect(udp.failed('no_endpoint')).toBe(1);
    expect(udp.held).toEqual(NOTHING);
  });
});

describe('limits', () => {
  test('a session that nobody answered makes room, the oldest first; those that were answered stay', () => {
    started({ listener: { limits: { sessions: 3 } } });
    udp.client(1, 'a');
    udp.answer(0, 'x');
    udp.client(2, 'b');
    udp.client(3, 'c');
    udp.client(4, 'd');
    expect(udp.log).toEqual([['session_evicted', 'a', 1]]);
    expect(udp.entries[0]!.clientPort).toBe(2);
    udp.answer(2, 'y');
    udp.answer(3, 'z');
    udp.client(5, 'e');
    expect(udp.failed('session_limit')).toBe(1);
    expect(udp.listener.busy).toBe(3);
    expect(udp.listener.stats.connectionsRejected).toBe(1);
  });

  test('no descriptor: said once, counted each time, nothing kept', () => {
    started();
    udp.result = 'EMFILE';
    udp.client(1, 'a');
    udp.client(2, 'a');
    expect(udp.failed('no_descriptor')).toBe(2);
    expect(udp.errors).toEqual(['no-udp-socket']);
    expect(udp.held).toEqual(NOTHING);
  });

  test('amplification: answers beyond it are dropped, and count as answers', () => {
    started({ listener: { ...EACH, limits: { amplification: 2 } } });
    udp.client(1, 'abc');
    udp.answer(0, '1234567');
    expect(udp.answered).toEqual([]);
    expect(udp.failed('amplification')).toBe(1);
    expect(udp.held).toEqual(NOTHING);
  });

  test('maxConnections of an endpoint is one of sessions', () => {
    started({ pool: { endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }] } });
    udp.client(1, 'a');
    udp.client(2, 'b');
    udp.client(3, 'c');
    expect(udp.failed('no_endpoint')).toBe(1);
    expect(udp.inFlight).toEqual([1, 1]);
  });
});

test('at the end everything is cut', () => {
  started();
  for (let port = 1; port <= 5; port++) udp.client(port, 'x');
  expect(udp.listener.cut()).toBe(5);
  expect(udp.held).toEqual(NOTHING);
  expect(udp.failed('shutting_down')).toBe(5);
});
