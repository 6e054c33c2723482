import { describe, expect, test } from 'bun:test';

import { requestHead } from '../../test/support/request-head.ts';
import { httpListener as listenerSchema, type HttpListenerConfig } from '../config/schema/listener.ts';
import type { RequestHead } from '../model/message.ts';
import { type ClientForwarding, ForwardingPolicy } from './client-forwarding.ts';

function listener(more: object = {}): HttpListenerConfig {
  return listenerSchema.parse({ name: 'web', address: ':8080', routes: [{ pool: 'p' }], ...more });
}

function client(more: object = {}, peer = '192.0.2.7', secure = false): ClientForwarding {
  return new ForwardingPolicy(listener(more), 'here').forPeer(peer, secure);
}

const behindProxy = { trustedProxies: ['10.0.0.0/8'] };

/** What the endpoint gets, name in lower case, lines of one name as they come. */
function sent({ fields }: RequestHead): Record<string, string[]> {
  const result: Record<string, string[]> = {};
  for (const line of fields.written()) {
    const colon = line.indexOf(':');
    (result[line.slice(0, colon).toLowerCase()] ??= []).push(line.slice(colon + 2));
  }
  return result;
}

function applied(forwarding: ClientForwarding, ...lines: string[]): Record<string, string[]> {
  const request = requestHead('GET', '/', ...lines);
  expect(forwarding.apply(request, 'HTTP/1.1')).toBeUndefined();
  return sent(request);
}

const ours = {
  host: ['a.test'],
  'x-forwarded-for': ['192.0.2.7'],
  'x-forwarded-proto': ['http'],
  'x-forwarded-host': ['a.test'],
  forwarded: ['for=192.0.2.7;host=a.test;proto=http'],
  via: [expect.stringMatching(/^1\.1 pointsman \([0-9a-f]{8}\)$/)],
};

describe('a peer that is not trusted', () => {
  test('is named as the client', () => {
    const forwarding = client();
    expect(applied(forwarding)).toEqual(ours);
    expect(forwarding.ip).toBe('192.0.2.7');
  });

  test.each([
    'X-Forwarded-For: 6.6.6.6',
    'x-forwarded-for: 6.6.6.6, 7.7.7.7',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.test',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Server: evil',
    'X-Forwarded-Prefix: /admin',
    'X-Forwarded-Ssl: on',
    'X-Real-IP: 6.6.6.6',
    'Forwarded: for=6.6.6.6',
    'Proxy: http://evil.test/',
    'X_Forwarded_For: 6.6.6.6',
    'X-Forwarded_For: 6.6.6.6',
    'x_forwarded-proto: https',
    'X_Forwarded_Prefix: /admin',
    'X_REAL_IP: 6.6.6.6',
    'Content_Length: 5',
    'Transfer_Encoding: chunked',
  ])('may not say %s', (line) => {
    const forwarding = client();
    expect(applied(forwarding, line, line)).toEqual(ours);
    expect(forwarding.ip).toBe('192.0.2.7');
  });

  test('may say everything else', () => {
    const lines = ['X_Custom: 1', 'X-Forwarded: 2', 'X-Real: 3', 'Via: 1.0 fred', 'Accept: */*'];
    expect(applied(client(), ...lines)).toEqual({
      ...ours,
      x_custom: ['1'],
      'x-forwarded': ['2'],
      'x-real': ['3'],
      accept: ['*/*'],
      via: ['1.0 fred', ...ours.via],
    });
  });

  test('is written in one spelling, and quoted where it must be', () => {
    const mapped = client({}, '::ffff:192.0.2.7');
    expect(applied(mapped)).toEqual(ours);
    const ipv6 = client({}, '2001:DB8:0::1', true);
    const fields = applied(ipv6, 'Host: [2001:db8::9]:8443');
    expect(ipv6.ip).toBe('2001:db8::1');
    expect(fields['x-forwarded-for']).toEqual(['2001:db8::1']);
    expect(fields['x-forwarded-proto']).toEqual(['https']);
    expect(fields['x-forwarded-host']).toEqual(['[2001:db8::9]:8443']);
    expect(fields['forwarded']).toEqual(['for="[2001:db8::1]";host="[2001:db8::9]:8443";proto=https']);
  });

  test('sends many requests on one connection, to one host or another', () => {
    const forwarding = client();
    for (const host of ['a.test', 'a.test', 'b.test:81', 'a.test']) {
      const fields = applied(forwarding, `Host: ${host}`);
      expect(fields['x-forwarded-host']).toEqual([host]);
      expect(fields['forwarded']![0]).toContain(host);
    }
    const first = requestHead('GET', '/');
    const second = requestHead('GET', '/');
    forwarding.apply(first, 'HTTP/1.1');
    forwarding.apply(second, 'HTTP/1.1');
    expect(second.fields.block?.lines).toHaveLength(5);
    expect(second.fields.block).toBe(first.fields.block);
  });

  test('is told apart from others, and by what it speaks, whichever of its connections it uses', () => {
    const policy = new ForwardingPolicy(listener(), 'here');
    const told = (peer: string, secure: boolean) => applied(policy.forPeer(peer, secure));
    for (let round = 0; round < 2; round++) {
      expect(told('192.0.2.7', false)).toEqual(ours);
      expect(told('192.0.2.8', false)).toMatchObject({ 'x-forwarded-for': ['192.0.2.8'] });
      expect(told('192.0.2.7', true)).toMatchObject({ 'x-forwarded-proto': ['https'] });
    }
  });

  test('without a host, nothing is said of it', () => {
    const request = requestHead('GET', '/');
    request.authority = '';
    request.minor = 0;
    client().apply(request, 'HTTP/1.0');
    const fields = sent(request);
    expect(fields['x-forwarded-host']).toBeUndefined();
    expect(fields['forwarded']).toEqual(['for=192.0.2.7;proto=http']);
    expect(fields['via']![0]).toStartWith('1.0 ');
  });
});

describe('a trusted proxy', () => {
  const proxied = (...lines: string[]) => {
    const forwarding = client(behindProxy, '10.0.0.1');
    return { fields: applied(forwarding, ...lines), ip: forwarding.ip };
  };

  test('without claims is the client', () => {
    const { fields, ip } = proxied();
    expect(ip).toBe('10.0.0.1');
    expect(fields['x-forwarded-for']).toEqual(['10.0.0.1']);
    expect(fields['forwarded']).toEqual(['for=10.0.0.1;host=a.test;proto=http']);
  });

  test('is believed about the client, and becomes the next hop', () => {
    const { fields, ip } = proxied('X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 192.0.2.1, 10.0.0.2');
    expect(ip).toBe('192.0.2.1');
    expect(fields['x-forwarded-for']).toEqual(['6.6.6.6, 192.0.2.1, 10.0.0.2, 10.0.0.1']);
    expect(fields['forwarded']).toEqual([
      'for=6.6.6.6, for=192.0.2.1, for=10.0.0.2, for=10.0.0.1;host=a.test;proto=http',
    ]);
    expect(fields['x-forwarded-proto']).toEqual(['http']);
    expect(fields['x-forwarded-host']).toEqual(['a.test']);
  });

  test('is believed about scheme and host', () => {
    const { fields } = proxied(
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: public.test',
      'X-Forwarded-Port: 443',
      'X-Forwarded-Prefix: /x',
      'X-Real-IP: 192.0.2.1',
    );
    expect(fields['x-forwarded-proto']).toEqual(['https']);
    expect(fields['x-forwarded-host']).toEqual(['public.test']);
    expect(fields['x-forwarded-port']).toEqual(['443']);
    expect(fields['x-forwarded-prefix']).toEqual(['/x']);
    expect(fields['x-real-ip']).toEqual(['192.0.2.1']);
  });

  test('may use Forwarded alone', () => {
    const { fields, ip } = proxied('Forwarded: for="[2001:db8::1]:99";proto=https;host=public.test');
    expect(ip).toBe('2001:db8::1');
    expect(fields['x-forwarded-for']).toEqual(['2001:db8::1, 10.0.0.1']);
    expect(fields['x-forwarded-proto']).toEqual(['https']);
    expect(fields['x-forwarded-host']).toEqual(['public.test']);
    expect(fields['forwarded']).toEqual([
      'for="[2001:db8::1]:99";proto=https;host=public.test, for=10.0.0.1;host=a.test;proto=http',
    ]);
  });

  test('that lets a forged Forwarded pass is believed about X-Forwarded-For only', () => {
    const { fields, ip } = proxied('X-Forwarded-For: 192.0.2.1', 'Forwarded: for=6.6.6.6');
    expect(ip).toBe('192.0.2.1');
    expect(fields['forwarded']).toEqual(['for=192.0.2.1, for=10.0.0.1;host=a.test;proto=http']);
  });

  test('that says the same in both is kept word for word', () => {
    const { fields } = proxied('X-Forwarded-For: 192.0.2.1', 'Forwarded: for="192.0.2.1:5";proto=https');
    expect(fields['forwarded']).toEqual([
      'for="192.0.2.1:5";proto=https, for=10.0.0.1;host=a.test;proto=http',
    ]);
  });

  test('that says nonsense is the client itself', () => {
    for (const line of [
      'X-Forwarded-For: garbage',
      'X-Forwarded-For:',
      'Forwarded: for=',
      'Forwarded: for=unknown',
    ]) {
      const { ip, fields } = proxied(line);
      expect(ip).toBe('10.0.0.1');
      expect(fields['x-forwarded-for']![0]).toEndWith('10.0.0.1');
      expect(fields['forwarded']![0]).toEndWith('for=10.0.0.1;host=a.test;proto=http');
    }
  });

  test('may not speak in underscores, nor say Proxy', () => {
    const { fields, ip } = proxied('X_Forwarded_For: 6.6.6.6', 'Proxy: evil');
    expect(ip).toBe('10.0.0.1');
    expect(JSON.stringify(fields)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  test('is asked anew for each request', () => {
    const forwarding = client(behindProxy, '10.0.0.1');
    for (const ip of ['192.0.2.1', '192.0.2.2']) {
      applied(forwarding, `X-Forwarded-For: ${ip}`);
      expect(forwarding.ip).toBe(ip);
    }
    applied(forwarding);
    expect(forwarding.ip).toBe('10.0.0.1');
  });
});

describe('what is switched off is not sent, and not let through either', () => {
  const off = { forwarding: { xForwarded: false, forwarded: false, via: '' } };

  test('from a peer that is not trusted', () => {
    const fields = applied(
      client(off),
      'X-Forwarded-For: 6.6.6.6',
      'Forwarded: for=6.6.6.6',
      'Via: 1.1 fred',
    );
    expect(fields).toEqual({ host: ['a.test'], via: ['1.1 fred'] });
  });

  test('but what a trusted proxy says stays as it is', () => {
    const forwarding = client({ ...off, ...behindProxy }, '10.0.0.1');
    const fields = applied(forwarding, 'X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.1');
    expect(fields).toEqual({
      host: ['a.test'],
      'x-forwarded-for': ['192.0.2.1'],
      forwarded: ['for=192.0.2.1'],
    });
    expect(forwarding.ip).toBe('192.0.2.1');
  });
});

test('Via names the version by which the request came', () => {
  const forwarding = client();
  const versions = (['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3', 'HTTP/1.1'] as const).map((protocol) => {
    const request = requestHead('GET', '/');
    forwarding.apply(request, protocol);
    return sent(request)['via']![0]!.split(' ')[0];
  });
  expect(versions).toEqual(['1.0', '1.1', '2', '3', '1.1']);
});

describe('loops', () => {
  const via = (forwarding: ClientForwarding) => applied(forwarding)['via']![0]!;
  const returned = (forwarding: ClientForwarding, value: string) =>
    forwarding.apply(requestHead('GET', '/', `Via: ${value}`), 'HTTP/2');

  test('a request that passed this listener before is refused', () => {
    expect(returned(client(), `1.1 fred, ${via(client())}, 1.1 bob`)).toBe('loop_detected');
  });

  test('whatever it came by then and now', () => {
    const before = requestHead('GET', '/');
    client().apply(before, 'HTTP/2');
    expect(returned(client(), sent(before)['via']![0]!)).toBe('loop_detected');
  });

  test('one that passed another Pointsman or another listener is not', () => {
    const other = new ForwardingPolicy(listener(), 'there').forPeer('192.0.2.7', false);
    expect(returned(client(), via(other))).toBeUndefined();
    expect(returned(client(), via(client({ name: 'inner' })))).toBeUndefined();
    expect(returned(client(), '1.1 pointsman')).toBeUndefined();
  });
});
