import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { get, type ListenerInput } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial } from '../support/wire.ts';

let endpoint: HeldEndpoint;
beforeAll(async () => {
  endpoint = await HeldEndpoint.start('a');
});
afterAll(() => endpoint[Symbol.asyncDispose]());

type Route = ListenerInput['routes'][number];

function listener(name: string, port: number, routes: Route[] = [{ pool: 'api' }]): ListenerInput {
  return { name, address: `127.0.0.1:${port}`, routes };
}

function configOf(...listeners: ListenerInput[]): TestConfig {
  return { listeners, pools: [{ name: 'api', endpoints: [endpoint.name] }] };
}

function says(status: number): Route[] {
  return [{ reply: { status } }];
}

async function statusAt(port: number): Promise<number | 'refused'> {
  try {
    return (await ask({ host: '127.0.0.1', port }, get('/'))).status;
  } catch {
    return 'refused';
  }
}

/** The worker closes its socket a moment after the supervisor has said that it did. */
function untilRefused(port: number): Promise<void> {
  return untilTrue('the end of an address', async () => (await statusAt(port)) === 'refused');
}

async function revision(pointsman: Pointsman): Promise<number> {
  const status = (await (await fetch(`${pointsman.admin}/api/v1/status`)).json()) as { revision: number };
  return status.revision;
}

describe('a configuration that cannot be used is refused whole', () => {
  test('one with errors: all are logged', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    const bad = configOf({ ...listener('web', 0, [{ pool: 'nobody' }]), address: 'nonsense' });
    expect(await pointsman.reload(bad)).toContain('reload-refused reason=config');
    const errors = pointsman.lines('config-error');
    expect(errors.length).toBeGreaterThanOrEqual(2);
    expect(errors.join('\n')).toContain('nobody');
    expect(errors.join('\n')).toContain('nonsense');
    expect(await revision(pointsman)).toBe(1);
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  });

  test('an address in use: nothing else of it comes into force either', async () => {
    await using other = await startPointsman(configOf(listener('other', 0)));
    const [free = 0] = await freePorts(1);
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    const next = configOf(
      listener('web', 0, says(410)),
      listener('new', free, says(204)),
      listener('taken', other.address().port),
    );
    expect(await pointsman.reload(next)).toMatch(/reload-refused reason=apply .*taken.*EADDRINUSE/);
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
    await untilRefused(free);
    expect(await revision(pointsman)).toBe(1);
    await other.stop();
    expect(await pointsman.reload(next)).toContain('revision=2');
    expect(await statusAt(free)).toBe(204);
  });

  test('the same again changes nothing, and says so', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    expect(await pointsman.reload(configOf(listener('web', 0)))).toContain('reloaded revision=1 changes=0');
  });

  test('settings that need a restart are named, the rest comes into force', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    const next = { ...configOf(listener('web', 0, says(410))), workers: 2, log: { level: 'debug' as const } };
    expect(await pointsman.reload(next)).toContain('reloaded revision=2 changes=');
    expect(pointsman.lines('restart-needed').join('')).toContain('settings=log');
    expect((await ask(pointsman.address(), get('/'))).status).toBe(410);
  });
});

describe('listeners', () => {
  test('one comes, its address passes to another name, and it goes', async () => {
    const [port = 0] = await freePorts(1);
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    await pointsman.reload(configOf(listener('web', 0), listener('b', port, says(204))));
    const kept = await dial({ host: '127.0.0.1', port });
    kept.send(get('/'));
    expect((await kept.answer()).status).toBe(204);
    // Not a single one is refused while it changes hands.
    const asking = new AbortController();
    const statuses = new Set<number | 'refused'>();
    const asked = (async () => {
      while (!asking.signal.aborted) statuses.add(await statusAt(port));
    })();
    await pointsman.reload(configOf(listener('web', 0), listener('c', port, says(202))));
    await kept.untilEnd();
    expect(await statusAt(port)).toBe(202);
    // The one that is under way may have begun before.
    await untilTrue('an answer of the new one', () => statuses.has(202));
    asking.abort();
    await asked;
    statuses.delete(204);
    expect([...statuses]).toEqual([202]);
    await pointsman.reload(configOf(listener('web', 0)));
    await untilRefused(port);
  });

  test('two exchange their addresses', async () => {
    const [one = 0, two = 0] = await freePorts(2);
    await using pointsman = await startPointsman(
      configOf(listener('a', one, says(201)), listener('b', two, says(202))),
    );
    await pointsman.reload(configOf(listener('a', two, says(201)), listener('b', one, says(202))));
    expect([await statusAt(one), await statusAt(two)]).toEqual([202, 201]);
    const report = await (await fetch(`${pointsman.admin}/api/v1/listeners`)).json();
    expect(JSON.stringify(report)).toContain(`127.0.0.1:${one}`);
  });

  test('one that moves keeps its connections', async () => {
    const [from = 0, to = 0] = await freePorts(2);
    await using pointsman = await startPointsman(configOf(listener('web', from)));
    const wire = await dial({ host: '127.0.0.1', port: from });
    wire.send(get('/'));
    expect((await wire.answer()).status).toBe(200);
    const before = endpoint.taken.length;
    endpoint.hold();
    wire.send(get('/held'));
    await endpoint.took(before + 1);
    expect(await pointsman.reload(configOf(listener('web', to)))).toContain(
      `listener web moved from 127.0.0.1:${from} to 127.0.0.1:${to}`,
    );
    endpoint.release();
    expect((await wire.answer()).status).toBe(200);
    wire.send(get('/'));
    expect((await wire.answer()).status).toBe(200);
    wire.close();
    expect(await statusAt(to)).toBe(200);
    await untilRefused(from);
  });

  test('one that goes finishes its requests and closes idle connections', async () => {
    const [port = 0] = await freePorts(1);
    await using pointsman = await startPointsman(configOf(listener('web', 0), listener('old', port)));
    const [busy, idle] = [await dial({ host: '127.0.0.1', port }), await dial({ host: '127.0.0.1', port })];
    idle.send(get('/'));
    await idle.answer();
    const before = endpoint.taken.length;
    endpoint.hold();
    busy.send(get('/held'));
    await endpoint.took(before + 1);
    await pointsman.reload(configOf(listener('web', 0)));
    await idle.untilEnd();
    endpoint.release();
    const answer = await busy.answer();
    expect(answer.status).toBe(200);
    await busy.untilEnd();
  });
});

describe('when', () => {
  test('several at once come one after the other, and the last word counts', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    const ask5 = Array.from({ length: 5 }, () =>
      fetch(`${pointsman.admin}/api/v1/reload`, { method: 'POST' }).then((response) => response.json()),
    );
    expect(await pointsman.reload(configOf(listener('web', 0, says(410))))).toContain('reloaded');
    const results = (await Promise.all(ask5)) as { outcome: string; revision: number }[];
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => 'applied'));
    const last = await fetch(`${pointsman.admin}/api/v1/reload`, { method: 'POST' });
    expect([last.status, await last.json()]).toMatchObject([200, { outcome: 'applied', revision: 2 }]);
    expect((await ask(pointsman.address(), get('/'))).status).toBe(410);
  });

  test('the process stops: nothing is reloaded any more', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    const before = endpoint.taken.length;
    endpoint.hold();
    const answer = ask(pointsman.address(), get('/'));
    await endpoint.took(before + 1);
    pointsman.signal('SIGTERM');
    while (pointsman.lines('stopping').length === 0) await Bun.sleep(2);
    expect(await pointsman.reload(configOf(listener('web', 0, says(410))))).toContain(
      'reload-refused reason=stopping',
    );
    endpoint.release();
    expect((await answer).status).toBe(200);
    expect(await pointsman.exited()).toBe(0);
  });

  test('without a file there is nothing to read', async () => {
    await using pointsman = await startPointsman(configOf(listener('web', 0)));
    rmSync(pointsman.file);
    pointsman.signal('SIGHUP');
    expect(await pointsman.reloads(1)).toContain('reload-refused reason=config');
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  });
});

describe('watch', () => {
  const config = (status: number) => ({ ...configOf(listener('web', 0, says(status))), watch: true });
  const text = (status: number) => JSON.stringify({ admin: { address: '127.0.0.1:0' }, ...config(status) });
  const status = async (pointsman: Pointsman) => (await ask(pointsman.address(), get('/'))).status;

  test('sees a file that is written, replaced, and comes by a link that is turned', async () => {
    await using pointsman = await startPointsman(config(201));
    const { file } = pointsman;
    const directory = dirname(file);
    writeFileSync(file, text(202));
    await pointsman.reloads(1);
    expect(await status(pointsman)).toBe(202);
    writeFileSync(`${file}~`, text(204));
    renameSync(`${file}~`, file);
    await pointsman.reloads(2);
    expect(await status(pointsman)).toBe(204);
    // As Kubernetes mounts a ConfigMap: file -> ..data/file, ..data -> ..1, and ..data is turned to ..2.
    for (const [place, code] of [
      ['..1', 204],
      ['..2', 206],
    ] as const) {
      mkdirSync(join(directory, place));
      writeFileSync(join(directory, place, 'pointsman.json'), text(code));
    }
    symlinkSync('..1', join(directory, '..data'));
    symlinkSync('..data/pointsman.json', `${file}~`);
    renameSync(`${file}~`, file);
    await Bun.sleep(400);
    // The same words at another place are no change.
    expect(pointsman.lines('reloaded').length).toBe(2);
    symlinkSync('..2', join(directory, '..next'));
    renameSync(join(directory, '..next'), join(directory, '..data'));
    await pointsman.reloads(3);
    expect(await status(pointsman)).toBe(206);
    writeFileSync(`${file}~`, 'listeners: [');
    renameSync(`${file}~`, file);
    expect(await pointsman.reloads(4)).toContain('reload-refused');
    expect(await status(pointsman)).toBe(206);
  });

  test('is off unless it is asked for', async () => {
    await using pointsman = await startPointsman({ ...config(201), watch: false });
    writeFileSync(pointsman.file, text(202));
    await Bun.sleep(500);
    expect([await status(pointsman), pointsman.lines('reloaded').length]).toEqual([201, 0]);
  });
});
