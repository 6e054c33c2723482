import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial, type Wire } from '../support/wire.ts';

/** Answers what it gets with its name before it, and greets first: server-first protocols must not wait. */
function greeter(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    wire.send(`${name} here\n`);
    await wire.until(() => wire.text.includes('\n'));
    wire.send(`${name}: ${wire.text}`);
  });
}

function addressOf(endpoint: ScriptedEndpoint): string {
  return `127.0.0.1:${endpoint.address.port}`;
}

async function says(wire: Wire, text: string): Promise<void> {
  await wire.until(() => wire.text.includes(text));
  expect(wire.text).toContain(text);
}

function config(
  endpoints: readonly string[],
  more: Partial<NonNullable<TestConfig['pools']>[number]> = {},
): TestConfig {
  return {
    listeners: [{ name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'raw' }],
    pools: [{ name: 'raw', policy: 'first', endpoints: [...endpoints], ...more }],
  };
}

describe('a tcp listener', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await greeter('a');
    pointsman = await startPointsman(config([addressOf(endpoint)]));
  });
  afterAll(async () => {
    await pointsman[Symbol.asyncDispose]();
    await endpoint[Symbol.asyncDispose]();
  });

  test('passes bytes both ways, the server first', async () => {
    const wire = await dial(pointsman.address());
    await says(wire, 'a here\n');
    wire.send('hello\n');
    await says(wire, 'a: hello\n');
    wire.close();
  });

  test('passes on what the client said before there was an endpoint, and its FIN', async () => {
    const wire = await dial(pointsman.address());
    wire.send('early\n');
    wire.halfClose();
    await says(wire, 'a: early\n');
    wire.close();
  });
});

test('an endpoint that refuses is passed over, and the client notices nothing', async () => {
  const [closed] = await freePorts(1);
  await using endpoint = await greeter('b');
  await using pointsman = await startPointsman(config([`127.0.0.1:${closed}`, addressOf(endpoint)]));
  const wire = await dial(pointsman.address());
  await says(wire, 'b here\n');
  wire.close();
});

test('a reload from http to tcp and back refuses nobody, and sessions go on', async () => {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  await using endpoint = await greeter('c');
  const pools = [{ name: 'raw', endpoints: [addressOf(endpoint)] }];
  const tcp: TestConfig = { listeners: [{ name: 'in', address, protocol: 'tcp', pool: 'raw' }], pools };
  const http: TestConfig = {
    listeners: [{ name: 'in', address, routes: [{ reply: { status: 204 } }] }],
    pools,
  };
  await using pointsman = await startPointsman(tcp);
  const session = await dial(pointsman.address());
  await says(session, 'c here\n');
  expect(await pointsman.reload(http)).toContain('listener in changed');
  const request = await dial(pointsman.address());
  request.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await says(request, '204');
  session.send('still\n');
  await says(session, 'c: still\n');
  expect(await pointsman.reload(tcp)).toContain('listener in changed');
  const next = await dial(pointsman.address());
  await says(next, 'c here\n');
  for (const wire of [session, request, next]) wire.close();
});
